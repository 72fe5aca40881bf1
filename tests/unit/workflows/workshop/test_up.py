"""Opening a workshop: made, made again, cut off, changed."""

from collections.abc import Sequence

import pytest

from sandbox.errors import HostError, UsageError
from sandbox.providers.engine import Power
from sandbox.workflows.workshop.up import SeatsFailedError
from sandbox.workflows.workshop.view import view
from sandbox.workshop.view import SeatState
from tests.unit.workflows.workshop.conftest import FILE, Classroom


def test_every_seat_is_made_and_has_a_secret_of_its_own(classroom: Classroom) -> None:
    given: dict[str, str] = {}

    def answer(name: str, argv: Sequence[str], stdin: object) -> str:
        if tuple(argv) == ("chpasswd",):
            given[name] = str(stdin)
        return ""

    classroom.seats.answer = answer
    ws = classroom.up()
    seats = ws.map().seats
    assert [one.number for one in seats] == [1, 2, 3, 4]
    assert all(one.ready and one.generation == 1 and one.member == "here" for one in seats)
    assert sorted(classroom.seats.there) == [f"ws-class-0{one}-g1" for one in (1, 2, 3, 4)]
    assert len(set(ws.store.secrets().seats.values())) == 4
    assert given["ws-class-02-g1"] == f"learner:{ws.store.secret_of(2)}\n"
    assert sorted(classroom.handed_out) == sorted(classroom.seats.there)
    assert classroom.proxy == ["ensure_proxy", "refresh_proxy"]
    assert classroom.keeper == ["ensure_keeper"]
    state = view(ws)
    assert {one.state for one in state.seats} == {SeatState.READY}


def test_again_it_makes_nothing(classroom: Classroom) -> None:
    first = classroom.up()
    machines, secrets = dict(classroom.seats.there), first.store.secrets()
    again = classroom.up()
    assert classroom.seats.there == machines
    assert again.store.secrets() == secrets
    assert again.map() == first.map()
    assert classroom.baked == 1


def test_what_is_stopped_is_started_and_never_made_anew(classroom: Classroom) -> None:
    classroom.up()
    classroom.seats.stop("ws-class-02-g1")
    classroom.up()
    assert classroom.seats.there["ws-class-02-g1"].power is Power.RUNNING
    assert classroom.seats.wishes.keys() == classroom.seats.there.keys()


def test_a_machine_that_is_gone_comes_back_with_its_saved_home(classroom: Classroom) -> None:
    ws = classroom.up()
    classroom.seats.remove("ws-class-02-g1")
    home = ws.store.home_of(2)
    home.write_bytes(b"tar")
    classroom.up()
    assert classroom.laid == [("ws-class-02-g2", home)]
    assert ws.seat(2).generation == 2


def test_one_that_fails_does_not_stop_the_others(classroom: Classroom) -> None:
    classroom.silent = {"ws-class-02-g1"}
    with pytest.raises(SeatsFailedError) as caught:
        classroom.up()
    assert caught.value.exit_code == 5
    assert "seat02" in caught.value.details
    assert [one.ready for one in caught.value.ws.map().seats] == [True, False, True, True]
    assert "ws-class-02-g1" not in classroom.seats.there
    assert classroom.keeper == ["ensure_keeper"]
    ws = classroom.up()
    assert ws.seat(2).generation == 2
    assert len(classroom.seats.there) == 4


def test_more_seats_are_taken_over(classroom: Classroom) -> None:
    classroom.up()
    ws = classroom.up(FILE.replace("seats: 3", "seats: 5"))
    assert [one.generation for one in ws.map().seats] == [1] * 6


def test_spare_seats_go_when_fewer_are_wanted(classroom: Classroom) -> None:
    classroom.up()
    text = FILE.replace("seats: 3", "seats: 2")
    ws = classroom.up(text)
    assert [one.retired for one in ws.map().seats] == [False, False, False, True]
    assert sorted(classroom.seats.there) == [f"ws-class-0{one}-g1" for one in (1, 2, 3)]
    classroom.up(text)
    assert len(classroom.seats.there) == 3


def test_a_new_line_of_the_roster_gets_a_seat_and_nobody_loses_one(classroom: Classroom) -> None:
    roster = classroom.folder / "people.csv"
    text = "version: 1\nbox: shiny\nroster: people.csv\nspare: 1\n"
    roster.write_text("name,email\nAda,ada@example.org\nBo,\n", encoding="utf-8")
    classroom.up(text)
    roster.write_text("name,email\nAda Byron,ada@example.org\nCy,\n", encoding="utf-8")
    seats = classroom.up(text).map().seats
    names = [one.holder.name if one.holder else "" for one in seats]
    assert names == ["Ada Byron", "Bo", "", "Cy"]
    assert len(classroom.seats.there) == 4


def test_what_does_not_fit_is_refused_and_nothing_is_left(classroom: Classroom) -> None:
    with pytest.raises(HostError, match="does not fit") as caught:
        classroom.up(FILE + "work_mb: 200000\nlimits: {memory_mb: 200000}\n")
    assert caught.value.exit_code == 4
    assert not classroom.store.exists()
    assert classroom.baked == 0


def test_a_closing_workshop_is_not_opened(classroom: Classroom) -> None:
    ws = classroom.up()
    ws.store.write(ws.record.model_copy(update={"is_closing": True}))
    with pytest.raises(UsageError, match="is closing") as caught:
        classroom.up()
    assert "sandbox workshop down class" in caught.value.hint
