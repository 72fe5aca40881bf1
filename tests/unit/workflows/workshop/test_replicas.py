"""Copies of whole seats: made in turn, of use to one machine alone, and cut off at any call."""

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandbox.errors import ProviderError
from sandbox.events import Listener
from sandbox.paths import state_dir
from sandbox.providers.engine import Power
from sandbox.providers.seats import Furnishing, SeatMachine, SeatWish
from sandbox.workflows.workshop import claims, homes, keeper, members, proxy, push, replicas
from sandbox.workflows.workshop.down import close
from sandbox.workflows.workshop.members import evacuate
from sandbox.workflows.workshop.replicating import ReplicasPart
from sandbox.workflows.workshop.reset import reset
from sandbox.workflows.workshop.view import view
from sandbox.workshop.replica_notes import note_replica, replica_notes
from sandbox.workshop.store import WorkshopStore
from tests.fakes.replicas import FakeReplicas
from tests.unit.workflows.workshop.conftest import Classroom
from tests.unit.workflows.workshop.test_members import (
    HAND_OUT,
    LAY_HOME,
    MEMBERS,
    SEATS,
    Cluster,
    CutError,
    CutSeats,
)

MORE = "copies: {seats: true, seats_every_s: 60}\n"


@dataclass
class CopiedSeats(CutSeats):
    """Seats in memory that may be copied whole."""

    kept: FakeReplicas | None = None

    def replicas(self) -> FakeReplicas:
        if self.kept is None:
            self.kept = FakeReplicas(self, self.answer.__self__, cut=self.cut)  # type: ignore[attr-defined]
        return self.kept

    def make(
        self, wish: SeatWish, listener: Listener, *, furnishing: Furnishing | None = None
    ) -> SeatMachine:
        kept = self.replicas()
        if wish.replica and kept.there[wish.replica].member != wish.member:
            raise ProviderError("that replica is elsewhere")
        # What it is a copy of is in it before anything is done there
        installed, stamp = kept.holds[wish.replica] if wish.replica else ("", 0)
        kept.installed[wish.name], kept.homes.stamps[wish.name] = installed, stamp
        kept.homes.changed[wish.name] = kept.homes.clock
        made: SeatMachine = super().make(wish, listener, furnishing=furnishing)
        return made

    def left(self, workshop: str) -> tuple[str, ...]:
        return (*super().left(workshop), *self.replicas().there)

    def clear(self, workshop: str) -> None:
        super().clear(workshop)
        for one in self.replicas().replicas(workshop):
            self.replicas().remove(one.name)


class Copied(Cluster):
    """A cluster whose workshop wants copies of whole seats."""

    def __init__(self, room: Classroom) -> None:
        super().__init__(room, CopiedSeats, MORE)
        assert isinstance(self.seats, CopiedSeats)
        self.kept = self.seats.replicas()

    def install(self, number: int, what: str) -> None:
        self.kept.installed[self.machine(number)] = what

    def installed(self, number: int) -> str:
        return self.kept.installed[self.machine(number)]

    def stamp(self, number: int) -> int:
        return self.learners.stamps[self.machine(number)]

    def note(self, number: int) -> Any:
        return replica_notes(self.ws.store).of(number)


@pytest.fixture
def cluster(classroom: Classroom, monkeypatch: pytest.MonkeyPatch) -> Copied:
    monkeypatch.setattr(homes, "lay_home", LAY_HOME)
    monkeypatch.setattr(push, "hand_out", HAND_OUT)
    monkeypatch.setattr(keeper, "keeper_runs", lambda _: True)
    monkeypatch.setattr(proxy, "proxy_runs", lambda _: True)
    return Copied(classroom)


def test_a_lost_seat_comes_back_whole_with_its_newer_home(cluster: Copied) -> None:
    number, other = cluster.on("n1")
    cluster.install(number, "a package")
    cluster.install(other, "lost")
    cluster.learners.work(cluster.machine(number))
    replicas.copy_seat(cluster.ws, number)
    stamp = cluster.learners.work(cluster.machine(number))
    homes.save_homes(cluster.ws)
    where = cluster.note(number).member
    said = cluster.lose("n1")
    assert (cluster.member(number), cluster.installed(number)) == (where, "a package")
    assert cluster.stamp(number) == stamp
    assert any(
        f"it is on {where} now, all of it as 0 s before, and its home" in one for one in said
    )
    # Of the other one there was no copy: it comes from the image, as ever
    assert cluster.installed(other) == ""


def test_an_older_home_is_not_laid_over_it_and_counts_on(cluster: Copied) -> None:
    number = cluster.on("n2")[0]
    cluster.learners.work(cluster.machine(number))
    homes.save_homes(cluster.ws)
    stamp = cluster.learners.work(cluster.machine(number))
    replicas.copy_seat(cluster.ws, number)
    cluster.lose("n2")
    assert cluster.stamp(number) == stamp
    # Should this machine be lost too, before its first copy, the home does not begin anew
    assert homes.home_for(cluster.ws, cluster.ws.seat(number)) is not None


def test_each_copy_begins_with_the_one_before_which_goes(cluster: Copied) -> None:
    first = replicas.copy_seat(cluster.ws, 1)
    second = replicas.copy_seat(cluster.ws, 1)
    assert first is not None
    assert second is not None
    assert [one.before for one in cluster.kept.wishes] == ["", first.name]
    assert list(cluster.kept.there) == [second.name]
    assert second.member == first.member != cluster.member(1)


def test_copies_are_shared_out(cluster: Copied) -> None:
    for number in range(1, SEATS + 1):
        replicas.copy_seat(cluster.ws, number)
    carried = dict.fromkeys(MEMBERS, 0)
    for one in cluster.kept.there.values():
        carried[one.member] += 1
    assert max(carried.values()) <= 2


def test_what_was_put_back_stays_so(cluster: Copied) -> None:
    number = cluster.on("n2")[0]
    cluster.install(number, "what broke it")
    replicas.copy_seat(cluster.ws, number)
    reset(cluster.ws, number)
    cluster.lose(cluster.member(number))
    assert cluster.installed(number) == ""
    cluster.seats.dead.clear()
    replicas.tidy(cluster.ws)
    assert cluster.kept.there == {}
    assert cluster.note(number).name == ""


def test_a_seat_that_is_put_back_while_it_is_copied_gets_no_copy(cluster: Copied) -> None:
    cluster.kept.meanwhile = lambda: reset(cluster.ws, 1)
    assert replicas.copy_seat(cluster.ws, 1) is None
    assert cluster.kept.there == {}
    assert cluster.note(1).name == ""


def test_nothing_of_another_person_comes_back(cluster: Copied) -> None:
    number = cluster.on("n2")[0]
    cluster.install(number, "the other's logins")
    replicas.copy_seat(cluster.ws, number)
    claims.give(cluster.ws, number, "Kim")
    cluster.kept.meanwhile = lambda: claims.give(cluster.ws, number, "Bo")
    # Nor by a copy that was on its way
    assert replicas.copy_seat(cluster.ws, number) is None
    cluster.lose("n2")
    assert cluster.installed(number) == ""
    replicas.tidy(cluster.ws)
    assert cluster.kept.there == {}


def test_the_copy_of_a_seat_that_moved_goes(cluster: Copied) -> None:
    for number in range(1, SEATS + 1):
        replicas.copy_seat(cluster.ws, number)
    moved = cluster.on("n2")
    evacuate(cluster.ws, "n2")
    replicas.tidy(cluster.ws)
    left = {1, 2, 3, 4} - set(moved)
    assert {one.seat for one in cluster.kept.there.values()} == left
    retired = left.pop()
    gone = {"retired": True, "ready": False}
    cluster.ws.store.change_seat(retired, lambda one: one.model_copy(update=gone))
    replicas.tidy(cluster.ws)
    assert {one.seat for one in cluster.kept.there.values()} == left


def test_a_copy_whose_server_is_lost_is_made_elsewhere_and_never_counts_twice(
    cluster: Copied,
) -> None:
    number = cluster.on("n1")[0]
    first = replicas.copy_seat(cluster.ws, number)
    assert first is not None
    cluster.kill(first.member)
    cluster.install(number, "newer")
    second = replicas.copy_seat(cluster.ws, number)
    assert second is not None
    assert second.member not in {first.member, "n1"}
    cluster.seats.dead.clear()
    replicas.tidy(cluster.ws)
    assert list(cluster.kept.there) == [second.name]


def test_a_copy_that_fails_leaves_the_one_before_and_says_why(cluster: Copied) -> None:
    number = cluster.on("n2")[0]
    cluster.install(number, "old")
    first = replicas.copy_seat(cluster.ws, number)
    assert first is not None
    cluster.install(number, "new")
    cluster.kept.fails = "no space left"
    with pytest.raises(ProviderError, match="no space left"):
        replicas.copy_seat(cluster.ws, number)
    notice = f"the newest copy of the whole seat failed: seat{number:02d} (no space left)"
    assert notice in view(cluster.ws).notices
    assert number not in replicas.due(cluster.ws)
    replicas.tidy(cluster.ws)
    assert list(cluster.kept.there) == [first.name]
    # What may be what is wrong is not gone on from
    cluster.kept.fails = ""
    assert replicas.copy_seat(cluster.ws, number) is not None
    assert cluster.kept.wishes[-1].before == ""
    cluster.lose("n2")
    assert cluster.installed(number) == "new"


def test_from_a_copy_of_which_nothing_can_be_made_the_seat_comes_back_all_the_same(
    cluster: Copied, classroom: Classroom
) -> None:
    number = cluster.on("n2")[0]
    stamp = cluster.learners.work(cluster.machine(number))
    homes.save_homes(cluster.ws)
    replicas.copy_seat(cluster.ws, number)
    classroom.silent.add(f"ws-class-{number:02d}-g2")
    said = cluster.lose("n2")
    assert cluster.machine(number) == f"ws-class-{number:02d}-g3"
    assert cluster.stamp(number) == stamp
    assert any("of the copy of the whole seat nothing could be made" in one for one in said)


def test_up_makes_a_machine_that_is_gone_from_the_copy(
    cluster: Copied, classroom: Classroom
) -> None:
    cluster.install(1, "a package")
    replicas.copy_seat(cluster.ws, 1)
    for number in (1, 2):
        cluster.seats.remove(cluster.machine(number))
    classroom.up((classroom.folder / "class.workshop.yml").read_text())
    assert (cluster.installed(1), cluster.installed(2)) == ("a package", "")
    assert {cluster.machine(1), cluster.machine(2)} == {"ws-class-01-g2", "ws-class-02-g2"}


def test_a_seat_at_which_somebody_works_is_left_out(cluster: Copied) -> None:
    with cluster.ws.store.working(1):
        assert replicas.copy_seat(cluster.ws, 1) is None
    with cluster.ws.store.hold_now("replicas"):
        assert replicas.copy_seat(cluster.ws, 1) is None
        replicas.tidy(cluster.ws)
    assert cluster.kept.wishes == []


@pytest.mark.parametrize("at", range(7))
def test_copying_can_be_cut_off_at_any_call(cluster: Copied, at: int) -> None:
    number = cluster.on("n2")[0]
    cluster.install(number, "first")
    first = replicas.copy_seat(cluster.ws, number)
    cluster.install(number, "second")
    cluster.seats.calls_left = at
    with contextlib.suppress(CutError):
        replicas.copy_seat(cluster.ws, number)
    cluster.seats.calls_left = None
    # Whatever was cut off: one whole copy counts, the newest that was noted
    now = cluster.note(number)
    assert first is not None
    assert cluster.kept.holds[now.name][0] == ("first" if now.name == first.name else "second")
    replicas.tidy(cluster.ws)
    assert list(cluster.kept.there) == [now.name]
    again = replicas.copy_seat(cluster.ws, number)
    assert again is not None
    assert cluster.kept.holds[again.name][0] == "second"
    assert list(cluster.kept.there) == [again.name]


@pytest.mark.parametrize("at", range(6))
def test_coming_back_can_be_cut_off_at_any_call(cluster: Copied, at: int) -> None:
    number = cluster.on("n2")[0]
    cluster.install(number, "a package")
    stamp = cluster.learners.work(cluster.machine(number))
    replicas.copy_seat(cluster.ws, number)
    cluster.kill("n2")
    cluster.tend()
    cluster.seats.calls_left = at
    with contextlib.suppress(CutError):
        for _ in range(5):
            cluster.tend()
    cluster.seats.calls_left = None
    for _ in range(5):
        cluster.tend()
    assert (cluster.installed(number), cluster.stamp(number)) == ("a package", stamp)
    # The server returns: its machine is old, and nothing is served twice
    cluster.seats.dead.clear()
    cluster.tend(1000)
    running = [one for one in cluster.seats.there.values() if one.label.seat == number]
    assert [one.name for one in running] == [cluster.machine(number)]
    assert running[0].power is Power.RUNNING
    replicas.tidy(cluster.ws)
    assert cluster.kept.there == {}


def test_down_leaves_none(cluster: Copied, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "answers", lambda _: False)
    replicas.copy_seat(cluster.ws, 1)
    close(cluster.ws, None)
    assert cluster.kept.there == {}


def test_when_they_are_no_longer_wanted_they_go(cluster: Copied) -> None:
    replicas.copy_seat(cluster.ws, 1)
    copies = cluster.ws.workshop.copies.model_copy(update={"seats": False})
    workshop = cluster.ws.workshop.model_copy(update={"copies": copies})
    record = cluster.ws.store.change_record(
        lambda one: one.model_copy(update={"workshop": workshop})
    )
    ws = type(cluster.ws)(record, cluster.ws.store, cluster.seats, cluster.ws.context)
    part = ReplicasPart(lambda: ws)
    part.do()
    assert cluster.kept.there == {}
    assert not any(one.name for one in replica_notes(ws.store).seats.values())


def test_they_are_spread_over_the_time_and_the_first_ones_do_not_wait(cluster: Copied) -> None:
    now = 0.0
    part = ReplicasPart(lambda: cluster.ws, lambda: now)
    for _ in range(SEATS):
        part.do()
    assert len(cluster.kept.wishes) == SEATS
    part.do()
    assert len(cluster.kept.wishes) == SEATS
    long_ago = datetime.now(UTC) - timedelta(minutes=5)
    for number in range(1, SEATS + 1):
        note_replica(
            cluster.ws.store, number, lambda one: one.model_copy(update={"taken_at": long_ago})
        )
    assert (
        "the copy of the whole seat is old: seat01, seat02, seat03, seat04"
        in view(cluster.ws).notices
    )
    # Four in 60 s, of which the next look is 5 s away
    now = 9.0
    part.do()
    assert len(cluster.kept.wishes) == SEATS
    now = 10.5
    part.do()
    part.do()
    assert len(cluster.kept.wishes) == SEATS + 1


def test_one_that_fails_is_named_and_the_next_is_tried(cluster: Copied) -> None:
    part = ReplicasPart(lambda: cluster.ws)
    cluster.kept.fails = "no space left"
    for number in (1, 2):
        with pytest.raises(ProviderError, match=f"seat0{number} was not copied: no space left"):
            part.do()


def test_the_trainer_sees_how_old_it_is_and_where(
    cluster: Copied, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.workflows.workshop.view.answers", lambda _: False)
    note = replicas.copy_seat(cluster.ws, 1)
    assert note is not None
    first, second = view(cluster.ws).seats[:2]
    assert (first.replica_at, first.replica_on) == (note.taken_at, note.member)
    assert (second.replica_at, second.replica_on) == (None, "")
    cluster.kill(note.member)
    assert (
        "the copy of the whole seat is on a server that is away: seat01" in view(cluster.ws).notices
    )


def test_a_note_that_changes_nothing_leaves_nothing_of_a_workshop_that_is_gone() -> None:
    store = WorkshopStore("gone")
    note_replica(store, 1, lambda note: note)
    assert not store.exists()
    assert not list((state_dir() / "locks").glob("workshop.gone.*"))
