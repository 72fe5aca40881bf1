"""Servers die, come back and are emptied, in every order, and cut off at any call."""

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sandbox.errors import ProviderError, SandboxError, UsageError
from sandbox.providers.engine import Power
from sandbox.workflows.workshop import homes, push
from sandbox.workflows.workshop.add import add
from sandbox.workflows.workshop.members import SILENT_S, MemberWatch, evacuate, tend_members
from sandbox.workflows.workshop.running import RunningWorkshop
from sandbox.workshop.seat_map import instance_name
from tests.fakes.learners import Homes, stamp_in
from tests.fakes.seats import FakeSeats
from tests.unit.workflows.workshop.conftest import Classroom, classroom

LAY_HOME, HAND_OUT = homes.lay_home, push.hand_out
MEMBERS = ("n1", "n2", "n3")
SEATS = 4


class CutError(BaseException):
    """The stand-in for kill -9: no code of ours catches it."""


@dataclass
class CutSeats(FakeSeats):
    """Ends the caller at a call that the test has chosen, before or after the call's work."""

    calls_left: int | None = None

    def cut(self) -> None:
        if self.calls_left is not None:
            self.calls_left -= 1
            if self.calls_left < 0:
                raise CutError

    def make(self, *args: Any, **words: Any) -> Any:
        self.cut()
        made = super().make(*args, **words)
        self.cut()
        return made

    def run(self, *args: Any, **words: Any) -> Any:
        self.cut()
        done = super().run(*args, **words)
        self.cut()
        return done

    def start(self, *args: Any, **words: Any) -> Any:
        self.cut()
        return super().start(*args, **words)

    def stop(self, name: str) -> None:
        self.cut()
        super().stop(name)

    def remove(self, name: str) -> None:
        self.cut()
        super().remove(name)
        self.cut()


class Cluster:
    """A workshop on three servers, its learners, and a clock to turn."""

    def __init__(self, room: Classroom, kind: type[CutSeats] = CutSeats, more: str = "") -> None:
        self.learners = Homes()
        self.seats = kind(member_names=MEMBERS, answer=self.learners.answer)
        room.seats = self.seats
        text = f"version: 1\nbox: shiny\nseats: {SEATS}\nspare: 0\n{more}"
        self.ws: RunningWorkshop = room.up(text)
        self.now = 0.0
        self.watch = MemberWatch(clock=lambda: self.now, is_answering=self.answers)
        self.still_answer: set[str] = set()
        """Dead servers whose seats go on all the same."""

    def answers(self, upstream: str) -> bool:
        for one in self.seats.there.values():
            if upstream in one.upstreams.values():
                return one.member not in self.seats.dead or one.member in self.still_answer
        return False

    def machine(self, number: int) -> str:
        seats = self.ws.map()
        return seats.instance_of(seats.seat(number))

    def member(self, number: int) -> str:
        return self.ws.seat(number).member

    def on(self, member: str) -> list[int]:
        return [one.number for one in self.ws.map().seats if one.member == member]

    def kill(self, member: str) -> None:
        self.seats.dead.add(member)

    def tend(self, after_s: float = 5.0) -> tuple[str, ...]:
        self.now += after_s
        return tend_members(self.ws, self.watch)

    def lose(self, member: str) -> list[str]:
        """Kill a server and wait until its seats are elsewhere."""
        self.kill(member)
        return [word for _ in range(5) for word in self.tend()]

    def archives(self, number: int) -> set[int]:
        """The numbers in all copies of a seat's home."""
        files = [self.ws.store.home_of(number), *homes.set_aside(self.ws, number).get(number, ())]
        return {stamp_in(one) for one in files if one.is_file()}


@pytest.fixture
def cluster(classroom: Classroom, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setattr(homes, "lay_home", LAY_HOME)
    monkeypatch.setattr(push, "hand_out", HAND_OUT)
    return Cluster(classroom)


def test_a_lost_servers_seats_come_back_with_their_homes(cluster: Cluster) -> None:
    number = cluster.on("n2")[0]
    stamp = cluster.learners.work(cluster.machine(number))
    homes.save_homes(cluster.ws)
    said = cluster.lose("n2")
    assert cluster.member(number) in {"n1", "n3"}
    assert cluster.learners.stamps[cluster.machine(number)] == stamp
    assert any("which is lost: it is on n" in one and "s before" in one for one in said)


def test_a_server_is_lost_only_when_offline_and_silent_for_long(cluster: Cluster) -> None:
    before = cluster.ws.map()
    cluster.tend()
    cluster.kill("n2")
    cluster.still_answer.add("n2")
    for _ in range(10):
        assert cluster.tend() == ()
    # Its daemon is dead, and its seats go on: nobody loses anything
    assert cluster.ws.map() == before
    cluster.still_answer.clear()
    assert cluster.tend(0.1) == ()
    assert cluster.tend(SILENT_S - 0.2) == ()
    # It answered once: the time begins anew
    cluster.still_answer.add("n2")
    assert cluster.tend(0.1) == ()
    cluster.still_answer.clear()
    assert cluster.tend(SILENT_S - 1) == ()
    assert cluster.tend(SILENT_S) != ()
    assert cluster.on("n2") == []


def test_of_a_dead_server_only_the_seats_that_are_silent_themselves_move(cluster: Cluster) -> None:
    first, second = cluster.on("n1")
    silent = set(cluster.ws.seat(first).upstreams.values())
    cluster.watch.is_answering = lambda upstream: upstream not in silent
    cluster.lose("n1")
    assert cluster.member(first) in {"n2", "n3"}
    assert cluster.member(second) == "n1"


def test_a_retired_seat_is_not_brought_back(cluster: Cluster) -> None:
    number = cluster.on("n2")[0]
    gone = {"retired": True, "ready": False}
    cluster.ws.store.change_seat(number, lambda one: one.model_copy(update=gone))
    cluster.lose("n2")
    assert cluster.member(number) == "n2"


def test_a_server_that_returns_is_emptied_and_its_newer_work_kept(cluster: Cluster) -> None:
    number = cluster.on("n2")[0]
    old = cluster.machine(number)
    cluster.learners.work(old)
    homes.save_homes(cluster.ws)
    unsaved = cluster.learners.work(old)
    cluster.lose("n2")
    newer = cluster.learners.work(cluster.machine(number))
    homes.save_homes(cluster.ws)
    cluster.seats.dead.clear()
    # As Incus does it: what ran there stands still
    cluster.seats.stop(old)
    said = cluster.tend()
    assert old not in cluster.seats.there
    assert stamp_in(cluster.ws.store.home_of(number)) == newer
    (aside,) = homes.set_aside(cluster.ws, number)[number]
    assert (aside.name, stamp_in(aside)) == (f"seat{number:02d}-g1-returned.tar", unsaved)
    assert any(aside.name in one for one in said)
    assert cluster.tend() == ()


def test_an_old_machine_whose_home_cannot_be_read_is_kept_and_said_once(cluster: Cluster) -> None:
    number = cluster.on("n2")[0]
    old = cluster.machine(number)
    cluster.lose("n2")
    cluster.learners.broken.add(old)
    cluster.seats.dead.clear()
    said = [one for _ in range(5) for one in cluster.tend()]
    assert len([one for one in said if old in one]) == 1
    assert cluster.seats.there[old].power is Power.STOPPED
    cluster.learners.broken.clear()
    cluster.tend(1000)
    assert old not in cluster.seats.there


def test_a_server_that_returns_while_its_seat_is_brought_loses_no_work(cluster: Cluster) -> None:
    number = cluster.on("n2")[0]
    old = cluster.machine(number)
    cluster.learners.work(old)
    homes.save_homes(cluster.ws)
    unsaved = cluster.learners.work(old)
    answer = cluster.learners.answer

    def back(name: str, argv: Sequence[str], stdin: Any) -> Any:
        cluster.seats.dead.clear()
        return answer(name, argv, stdin)

    cluster.seats.answer = back
    cluster.lose("n2")
    assert old not in cluster.seats.there
    assert unsaved in cluster.archives(number)


def test_a_seat_that_stands_still_is_started(cluster: Cluster) -> None:
    cluster.seats.stop(cluster.machine(1))
    assert any("stood still" in one for one in cluster.tend())
    assert cluster.seats.there[cluster.machine(1)].power is Power.RUNNING


def test_nothing_is_tended_while_it_closes(cluster: Cluster) -> None:
    cluster.ws.store.change_record(lambda one: one.model_copy(update={"is_closing": True}))
    assert cluster.lose("n2") == []
    assert cluster.on("n2") != []


def test_the_last_server_has_nowhere_to_go(cluster: Cluster) -> None:
    for one in MEMBERS:
        cluster.kill(one)
    said = [word for _ in range(6) for word in cluster.tend()]
    assert len(said) == 1
    assert "no other server is online" in said[0]


def test_a_server_is_emptied(cluster: Cluster) -> None:
    there = cluster.on("n2")
    stamps = {one: cluster.learners.work(cluster.machine(one)) for one in there}
    done = evacuate(cluster.ws, "n2")
    assert len(done) == len(there)
    assert cluster.on("n2") == []
    assert {one: cluster.learners.stamps[cluster.machine(one)] for one in there} == stamps
    assert [one for one in cluster.seats.there.values() if one.member == "n2"] == []
    with pytest.raises(UsageError, match="there is no server n9"):
        evacuate(cluster.ws, "n9")


def test_who_works_on_while_a_server_is_emptied_loses_nothing(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = cluster.on("n2")[0]
    old = cluster.machine(number)
    cluster.learners.work(old)
    make, newest = cluster.seats.make, 0

    def meanwhile(*args: Any, **words: Any) -> Any:
        nonlocal newest
        made = make(*args, **words)
        newest = cluster.learners.work(old)
        return made

    monkeypatch.setattr(cluster.seats, "make", meanwhile)
    evacuate(cluster.ws, "n2")
    assert cluster.learners.stamps[cluster.machine(number)] == newest


def test_a_server_that_was_emptied_gets_no_seat_until_up(
    classroom: Classroom, cluster: Cluster
) -> None:
    evacuate(cluster.ws, "n2")
    add(cluster.ws, [None, None, None])
    assert cluster.on("n2") == []
    cluster.lose("n1")
    assert cluster.on("n2") == []
    cluster.kill("n3")
    [cluster.tend() for _ in range(5)]
    assert len(cluster.on("n2")) == SEATS + 3, "there is no other one"
    cluster.seats.dead.clear()
    ws = classroom.up(f"version: 1\nbox: shiny\nseats: {SEATS}\nspare: 0\n")
    evacuate(ws, "n3")
    add(ws, [None])
    assert ws.record.resting == ()
    assert ws.store.require().resting == ("n3",)


def test_a_seat_whose_home_cannot_be_saved_stays(cluster: Cluster) -> None:
    number = cluster.on("n2")[0]
    cluster.learners.broken.add(cluster.machine(number))
    with pytest.raises(ProviderError, match="still on n2"):
        evacuate(cluster.ws, "n2")
    assert cluster.on("n2") == [number]


@pytest.mark.parametrize("at", range(22))
def test_moving_can_be_cut_off_at_any_call(cluster: Cluster, at: int) -> None:
    there = cluster.on("n2")
    stamps = {one: cluster.learners.work(cluster.machine(one)) for one in there}
    cluster.seats.calls_left = at
    with contextlib.suppress(CutError):
        evacuate(cluster.ws, "n2")
    cluster.seats.calls_left = None
    evacuate(cluster.ws, "n2")
    cluster.tend()
    assert cluster.on("n2") == []
    assert {one: cluster.learners.stamps[cluster.machine(one)] for one in there} == stamps
    assert set(cluster.seats.there) == {cluster.machine(one) for one in range(1, SEATS + 1)}


class AnyOrder(RuleBasedStateMachine):
    """Learners work, copies are made, servers die and return, and every call may be cut off."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="sandbox-members-"))
        self.patch = pytest.MonkeyPatch()
        make: Callable[..., Classroom] = classroom.__wrapped__  # type: ignore[attr-defined]
        self.room = make(self.folder, self.patch)
        self.patch.setattr(homes, "lay_home", LAY_HOME)
        self.patch.setattr(push, "hand_out", HAND_OUT)
        self.newest: dict[int, int] = {}

    @initialize()
    def begin(self) -> None:
        self.cluster = Cluster(self.room)
        remove = self.cluster.seats.remove

        def checked(name: str) -> None:
            self.nothing_is_lost_with(name)
            remove(name)

        self.cluster.seats.remove = checked  # type: ignore[method-assign]

    def nothing_is_lost_with(self, name: str) -> None:
        """What a learner did last in a machine is in some copy when the machine is removed."""
        found = self.cluster.seats.there.get(name)
        stamp = self.cluster.learners.stamps.get(name, 0)
        if found is not None and found.member not in self.cluster.seats.dead and stamp:
            assert stamp in self.cluster.archives(found.label.seat), name

    @rule(number=st.integers(1, SEATS))
    def work(self, number: int) -> None:
        name = self.cluster.machine(number)
        found = self.cluster.seats.there.get(name)
        if found is not None and found.member not in self.cluster.seats.dead:
            self.cluster.learners.work(name)

    @rule()
    def save(self) -> None:
        self.maybe_cut(lambda: homes.save_homes(self.cluster.ws))

    @rule(member=st.sampled_from(MEMBERS))
    def kill(self, member: str) -> None:
        if len(self.cluster.seats.dead) < len(MEMBERS) - 1:
            self.cluster.kill(member)

    @rule(member=st.sampled_from(MEMBERS), stands=st.booleans())
    def revive(self, member: str, *, stands: bool) -> None:
        self.cluster.seats.dead.discard(member)
        for one in list(self.cluster.seats.there.values()):
            if stands and one.member == member:
                FakeSeats.stop(self.cluster.seats, one.name)

    @rule(member=st.sampled_from(MEMBERS))
    def empty(self, member: str) -> None:
        self.maybe_cut(lambda: evacuate(self.cluster.ws, member))

    @rule(after_s=st.sampled_from((1.0, 5.0, 20.0)))
    def tend(self, after_s: float) -> None:
        self.maybe_cut(lambda: self.cluster.tend(after_s))

    @rule(calls=st.integers(0, 12))
    def cut_soon(self, calls: int) -> None:
        self.cluster.seats.calls_left = calls

    def maybe_cut(self, do: Callable[[], object]) -> None:
        with contextlib.suppress(CutError, SandboxError):
            do()
        self.cluster.seats.calls_left = None

    @invariant()
    def no_copy_gets_older(self) -> None:
        if not hasattr(self, "cluster"):
            return
        for number in range(1, SEATS + 1):
            file = self.cluster.ws.store.home_of(number)
            if file.is_file():
                stamp = stamp_in(file)
                assert stamp >= self.newest.get(number, 0)
                self.newest[number] = stamp

    @invariant()
    def no_seat_is_served_twice(self) -> None:
        if not hasattr(self, "cluster"):
            return
        seats = self.cluster.ws.map()
        upstreams = [one for seat in seats.seats for one in seat.upstreams.values()]
        assert len(upstreams) == len(set(upstreams))
        for seat in seats.seats:
            name = instance_name(seats.workshop, seat.number, seat.generation)
            assert self.cluster.seats.there[name].upstreams == seat.upstreams

    def teardown(self) -> None:
        if hasattr(self, "cluster"):
            self.cluster.seats.calls_left = None
            self.cluster.seats.dead.clear()
            for _ in range(3):
                self.cluster.tend(1000)
            wanted = {self.cluster.machine(one) for one in range(1, SEATS + 1)}
            assert set(self.cluster.seats.there) == wanted
        self.patch.undo()
        shutil.rmtree(self.folder)


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=12, stateful_step_count=20, deadline=None)
