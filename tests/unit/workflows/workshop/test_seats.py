"""Adding people, resetting seats, letting a workshop end later, closing it."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sandbox.errors import HostError, ProviderError, UsageError
from sandbox.workflows.workshop import answering, collect, down, push
from sandbox.workflows.workshop.add import add, finish, give_spare
from sandbox.workflows.workshop.down import close, close_remains
from sandbox.workflows.workshop.extend import extend
from sandbox.workflows.workshop.reset import reset, restart_servers
from sandbox.workflows.workshop.running import RunningWorkshop
from sandbox.workflows.workshop.slips import write_slips
from sandbox.workflows.workshop.status import workshops
from sandbox.workshop.homes import HomesManifest
from sandbox.workshop.seat_map import Holder, Seat
from tests.unit.workflows.workshop.conftest import Classroom

ADA, BO = Holder(name="Ada", email="ada@example.org"), Holder(name="Bo")


def test_a_late_joiner_gets_a_ready_seat_before_anything_is_made(classroom: Classroom) -> None:
    ws = classroom.up()
    secret, made = ws.store.secret_of(1), len(classroom.seats.wishes)
    (seat,) = give_spare(ws, [ADA])
    assert (seat.number, seat.holder, seat.ready) == (1, ADA, True)
    assert len(classroom.seats.wishes) == made
    assert ws.store.secret_of(1) == secret
    finish(ws)
    assert len(classroom.seats.there) == 5
    assert sum(one.is_spare and one.ready for one in ws.map().seats) == 4


def test_a_late_joiner_is_no_failure_where_others_go_on_under_a_dead_daemon(
    classroom: Classroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    classroom.seats.member_names = ("n1", "n2")
    ws = classroom.up()
    classroom.seats.dead = {"n2"}
    before = {one.number: one.generation for one in ws.map().seats}
    monkeypatch.setattr("sandbox.workflows.workshop.up.answers", lambda _: True)
    add(ws, [ADA])
    after = {one.number: one.generation for one in ws.map().seats}
    assert before.items() <= after.items()
    assert len(after) == len(before) + 1
    assert all(one.ready for one in ws.map().seats)


def test_the_same_person_gets_one_seat(classroom: Classroom) -> None:
    ws = classroom.up()
    first = add(ws, [ADA])
    assert add(ws, [ADA.model_copy(update={"name": "Ada Byron"})])[0].number == first[0].number
    assert len(ws.map().seats) == 5


def test_more_people_than_spare_seats(classroom: Classroom) -> None:
    ws = classroom.up("version: 1\nbox: shiny\nseats: 1\nspare: 0\n")
    seats = add(ws, [ADA, BO])
    assert [one.holder for one in seats] == [ADA, BO]
    assert all(one.ready for one in seats)


def test_no_seat_is_begun_for_which_there_is_no_room(classroom: Classroom) -> None:
    ws = classroom.up()
    with pytest.raises(HostError, match="no room for 20 more seats"):
        add(ws, [None] * 20)
    assert len(ws.map().seats) == 4
    with pytest.raises((UsageError, HostError)):
        add(ws, [None] * 300)
    assert len(ws.map().seats) == 4


@pytest.mark.usefixtures("saving")
def test_a_reset_saves_first_and_changes_no_other_seat(classroom: Classroom) -> None:
    ws = classroom.up()
    before = ws.map()
    seat = reset(ws, 2)
    assert classroom.saved == [2]
    assert (seat.generation, seat.ready) == (2, True)
    assert "ws-class-02-g1" not in classroom.seats.there
    assert [ws.seat(one) for one in (1, 3, 4)] == [before.seat(one) for one in (1, 3, 4)]
    assert classroom.laid == []


@pytest.mark.usefixtures("saving")
def test_a_home_that_cannot_be_saved_is_not_lost(classroom: Classroom) -> None:
    ws = classroom.up()
    classroom.cannot_save = {2}
    with pytest.raises(ProviderError, match="seat02 is not reset") as caught:
        reset(ws, 2)
    assert "--unsaved" in caught.value.hint
    assert ws.seat(2).generation == 1
    # The new machine was begun while the home was copied, and is gone
    assert [one for one in classroom.seats.there if "-02-" in one] == ["ws-class-02-g1"]
    assert reset(ws, 2, unsaved=True).generation == 3


@pytest.mark.usefixtures("saving")
def test_a_new_machine_that_fails_leaves_the_old_one_in_service(classroom: Classroom) -> None:
    ws = classroom.up()
    before = ws.seat(2)
    classroom.silent = {"ws-class-02-g2"}
    with pytest.raises(ProviderError, match="seat02 does not answer"):
        reset(ws, 2)
    now = ws.seat(2)
    assert (now.generation, now.upstreams, now.ready) == (1, before.upstreams, True)
    assert sorted(one for one in classroom.seats.there if "-02-" in one) == ["ws-class-02-g1"]
    classroom.silent = set()
    assert reset(ws, 2).generation == 3


def test_servers_are_started_again_in_the_same_machine(classroom: Classroom) -> None:
    ws = classroom.up()
    restart_servers(ws, 2)
    assert ("ws-class-02-g1", ("systemctl", "restart", "shiny-server")) in classroom.seats.runs
    classroom.seats.stop("ws-class-03-g1")
    restart_servers(ws, 3)
    assert ws.seat(3).generation == 1


def test_it_ends_later_and_up_does_not_forget_that(classroom: Classroom) -> None:
    text = "version: 1\nbox: shiny\nseats: 1\nends: 2026-12-01T17:00+01:00\n"
    ends = datetime.now(UTC) + timedelta(days=3000)
    extend(classroom.up(text), ends)
    assert classroom.up(text).record.ends == ends
    with pytest.raises(UsageError, match="is over"):
        extend(classroom.ws(), datetime.now(UTC) - timedelta(minutes=1))


@pytest.fixture
def collected(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Path]]:
    def collecting(*missing: str) -> list[Path]:
        folders: list[Path] = []

        def fake(ws: RunningWorkshop, folder: Path) -> HomesManifest:
            assert ws.store.require().is_closing
            folders.append(folder)
            return HomesManifest(workshop=ws.name, homes=(), missing=missing)

        monkeypatch.setattr(collect, "collect", fake)
        return folders

    return collecting


def test_down_collects_and_leaves_nothing(
    classroom: Classroom, collected: Callable[..., list[Path]], tmp_path: Path
) -> None:
    folders, ws = collected(), classroom.up()
    closed = close(ws, tmp_path / "work")
    assert folders == [tmp_path / "work"]
    assert closed.machines == 4
    assert classroom.seats.left("class") == ()
    assert not classroom.store.exists()
    assert classroom.keeper[-1] == "end_keeper"
    assert classroom.proxy[-1] == "stop_proxy"


def test_nothing_is_removed_when_somebodys_work_is_missing(
    classroom: Classroom, collected: Callable[..., list[Path]], tmp_path: Path
) -> None:
    collected("seat02")
    ws = classroom.up()
    with pytest.raises(ProviderError, match="no archive of seat02") as caught:
        close(ws, tmp_path)
    assert "--no-collect" in caught.value.hint
    assert len(classroom.seats.there) == 4
    with pytest.raises(UsageError, match="is closing"):
        reset(ws, 1)
    close(classroom.ws(), None)
    assert not classroom.seats.there


def test_what_is_on_a_lost_server_is_named_and_not_waited_for(
    classroom: Classroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(down, "LEFT_S", 600.0)
    monkeypatch.setattr("sandbox.deadline.time.sleep", lambda _: pytest.fail("it waits"))
    said: list[str] = []
    context = replace(classroom.context, listener=lambda event: said.append(str(event)))
    classroom.seats.member_names = ("n1", "n2")
    ws = classroom.up()
    classroom.seats.dead = {"n2"}
    lost = sorted(one.name for one in classroom.seats.there.values() if one.member == "n2")
    assert lost
    with pytest.raises(ProviderError, match=r"n2 does not answer.* still there") as caught:
        close(replace(ws, context=context), None)
    assert "n2: no answer" in said[0] + said[1]
    assert caught.value.exit_code == 5
    assert "sandbox workshop down class" in caught.value.hint
    assert all(one in caught.value.details for one in lost)
    assert sorted(classroom.seats.there) == lost
    classroom.seats.dead = set()
    close(classroom.ws(), None)
    assert not classroom.seats.there
    assert not classroom.store.exists()


@pytest.mark.parametrize("broken", ["workshop.json", "seats.json", "secrets.json"])
def test_a_damaged_folder_can_be_closed(classroom: Classroom, broken: str) -> None:
    classroom.up()
    (classroom.store.folder / broken).write_text("{", encoding="utf-8")
    if broken == "workshop.json":
        with pytest.raises(UsageError, match="work can be collected") as caught:
            close_remains("class", classroom.context, may_lose=False)
        assert "--no-collect" in caught.value.hint
        close_remains("class", classroom.context, may_lose=True)
    else:
        close(classroom.ws(), None)
    assert not classroom.seats.there
    assert not classroom.store.exists()


def test_there_is_nothing_to_close(classroom: Classroom) -> None:
    with pytest.raises(UsageError, match="no workshop class"):
        close_remains("class", classroom.context, may_lose=True)


def test_slips_are_for_the_trainer_alone(classroom: Classroom, tmp_path: Path) -> None:
    ws = classroom.up()
    files = write_slips(ws, tmp_path / "slips")
    assert files.page.stat().st_mode & 0o777 == 0o600
    assert files.table.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "slips" / ".gitignore").read_text(encoding="utf-8") == "*\n"
    table = files.table.read_text(encoding="utf-8")
    assert all(ws.store.secret_of(one) in table for one in (1, 2, 3, 4))
    mode = tmp_path.stat().st_mode
    write_slips(ws, tmp_path)
    assert tmp_path.stat().st_mode == mode


def test_the_listing_also_has_damaged_ones(classroom: Classroom) -> None:
    classroom.up()
    (one,) = workshops()
    assert (one.name, one.state, one.seats, one.ready) == ("class", "open", 4, 4)
    (classroom.store.folder / "workshop.json").write_text("{", encoding="utf-8")
    assert workshops()[0].state == "damaged"


@pytest.mark.usefixtures("saving")
def test_a_seat_that_was_reset_is_told_of_before_its_old_machine_goes(
    classroom: Classroom,
) -> None:
    ws, heard = classroom.up(), []

    def hear(seat: Seat) -> None:
        heard.append((seat.generation, seat.ready, "ws-class-02-g1" in classroom.seats.there))

    reset(ws, 2, on_ready=hear)
    assert heard == [(2, True, True)]
    assert "ws-class-02-g1" not in classroom.seats.there


@pytest.mark.usefixtures("saving")
def test_a_machine_gets_its_secret_and_files_while_its_servers_come_up(
    classroom: Classroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    ws = classroom.up()
    have_begun = threading.Barrier(3, timeout=10)
    real = answering.answer_of

    def wait(*_: object) -> str:
        have_begun.wait()
        return ""

    def answer_of(upstream: str, **_: object) -> str:
        return wait() or real(upstream)

    monkeypatch.setattr(push, "hand_out", wait)
    monkeypatch.setattr(answering, "answer_of", answer_of)
    classroom.seats.answer = wait
    assert reset(ws, 2).generation == 2
