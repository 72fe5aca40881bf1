"""The keeper's parts: what is asked of seats, how often, and that no part stops another."""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from sandbox.deadline import Deadline, wait_until
from sandbox.errors import ProviderError
from sandbox.providers.seats import SeatUse
from sandbox.workflows.workshop import homes, look, proxy, tending
from sandbox.workflows.workshop.quiet import Quiet, quiets, spent_s
from sandbox.workflows.workshop.running import RunningWorkshop
from sandbox.workflows.workshop.side_by_side import SeatOutcome
from sandbox.workflows.workshop.tending import (
    Fresh,
    HomesPart,
    LooksPart,
    Part,
    ProxyPart,
    Told,
    Uses,
)
from sandbox.workshop.names import seat_word
from tests.fakes.seats import FakeSeats
from tests.fakes.workshops import open_workshop_of, put_machine

ANSWER = {
    "now": 1000.0, "typed": 900.0, "changed": 0.0, "home_bytes": 0,
    "session_error": "", "session_error_at": 0.0,
}  # fmt: skip
APPS: Mapping[str, Any] = {"apps": {}, "served": {}, "units": {}}


@dataclass
class WorkingSeats(FakeSeats):
    """Machines whose processor time a test says."""

    cpu_s: dict[str, float] = field(default_factory=dict)
    asked: int = 0

    def uses(self, workshop: str) -> Mapping[str, SeatUse]:
        self.asked += 1
        return {
            name: replace(use, cpu_s=self.cpu_s.get(name, 1.0))
            for name, use in super().uses(workshop).items()
        }


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Room:
    ws: RunningWorkshop
    seats: WorkingSeats
    clock: Clock = field(default_factory=Clock)
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.quiets = quiets(self.clock)

    @property
    def uses(self) -> Uses:
        return Uses(Fresh(self.ws), self.clock)

    def homes(self) -> HomesPart:
        return HomesPart(Fresh(self.ws), self.quiets[0], self.said.append, self.clock)

    def looks(self, uses: Uses | None = None) -> LooksPart:
        return LooksPart(Fresh(self.ws), uses or self.uses, self.quiets[1], self.said.append)

    def machine(self, number: int) -> str:
        return self.ws.map().instance_of(self.ws.seat(number))


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Room:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    seats = WorkingSeats(answer=lambda *_: f"{json.dumps(ANSWER)}\n{json.dumps(APPS)}")
    ws = open_workshop_of(6, seats=seats, said={"copies": {"every_s": 60}})
    for number in range(1, 7):
        put_machine(ws, number, {3838: f"10.0.0.{number}:3838"})
    return Room(ws, seats)


@pytest.fixture
def saved(room: Room, monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, int]]:
    found: list[tuple[float, int]] = []

    def save_homes(_: RunningWorkshop, numbers: list[int]) -> tuple[SeatOutcome[int, str], ...]:
        found.extend((room.clock.now, number) for number in numbers)
        return tuple(SeatOutcome(number, result="saved") for number in numbers)

    monkeypatch.setattr(homes, "save_homes", save_homes)
    return found


def tick(room: Room, part: HomesPart | LooksPart, seconds: int, every_s: int = 1) -> None:
    for _ in range(0, seconds, every_s):
        part.do()
        room.clock.now += every_s


def test_homes_are_copied_one_after_the_other(room: Room, saved: list[tuple[float, int]]) -> None:
    part = room.homes()
    tick(room, part, 60)
    assert saved == [(0, 1), (10, 2), (20, 3), (30, 4), (40, 5), (50, 6)]


def test_a_home_is_copied_when_its_seat_worked_and_now_and_then(
    room: Room, saved: list[tuple[float, int]]
) -> None:
    part = room.homes()
    tick(room, part, 60)
    saved.clear()
    room.seats.cpu_s[room.machine(3)] = 1.5
    tick(room, part, 60)
    assert saved == [(80, 3)]
    saved.clear()
    tick(room, part, 300)
    # All the same: what happened in the moment of the last copy is not lost
    assert sorted(number for _, number in saved) == [1, 2, 3, 4, 5, 6]


def test_a_new_machine_of_a_seat_is_no_quiet_one(
    room: Room, saved: list[tuple[float, int]]
) -> None:
    part = room.homes()
    tick(room, part, 60)
    saved.clear()
    put_machine(room.ws, 2, {3838: "10.0.0.99:3838"})
    tick(room, part, 60)
    assert saved == [(70, 2)]


def test_a_copy_that_fails_is_said_once_and_tried_again(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []

    def save_homes(_: RunningWorkshop, numbers: list[int]) -> tuple[SeatOutcome[int, str], ...]:
        tried.extend(numbers)
        return tuple(SeatOutcome(one, error=ProviderError("no room")) for one in numbers)

    monkeypatch.setattr(homes, "save_homes", save_homes)
    part = room.homes()
    tick(room, part, 180)
    assert tried == [1, 2, 3, 4, 5, 6] * 3
    assert room.said == [
        f"the home of {seat_word(number)} was not copied: no room" for number in range(1, 7)
    ]


def test_only_seats_that_worked_are_looked_into(room: Room) -> None:
    part = room.looks()
    part.do()
    # A few at a time
    assert sorted(name for name, _ in room.seats.runs) == [room.machine(n) for n in range(1, 5)]
    part.do()
    assert sorted(name for name, _ in room.seats.runs) == [room.machine(n) for n in range(1, 7)]
    assert set(look.looks(room.ws.store)) == {1, 2, 3, 4, 5, 6}
    room.seats.runs.clear()
    room.clock.now += 10
    room.seats.cpu_s[room.machine(4)] = 1.5
    part.do()
    assert [name for name, _ in room.seats.runs] == [room.machine(4)]
    argv = room.seats.runs[0][1]
    assert argv[:2] == ("/bin/sh", "-c")
    assert argv[2].startswith("/usr/bin/python3 -I -c ")


def test_when_nothing_happens_one_question_is_asked(room: Room) -> None:
    uses = room.uses
    part = room.looks(uses)
    part.do()
    part.do()
    room.seats.runs.clear()
    room.seats.asked = 0
    for _ in range(3):
        room.clock.now += 10
        part.do()
    assert room.seats.runs == []
    assert room.seats.asked == 3
    uses.now()
    assert room.seats.asked == 3


def test_what_looks_and_copies_cost_is_nobodys_work(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Incus's answer about all machines is up to 8 seconds old; asked after a look, it lacks it."""
    looked: list[str] = []
    copied: list[int] = []
    old: dict[int, Mapping[str, SeatUse]] = {}
    real = room.seats.uses

    def work(name: str) -> None:
        room.seats.cpu_s[name] = room.seats.cpu_s.get(name, 1.0) + 0.2

    def answer(name: str, *_: object) -> str:
        looked.append(name)
        work(name)
        return f"{json.dumps(ANSWER)}\n{json.dumps(APPS)}"

    def save_homes(_: RunningWorkshop, numbers: list[int]) -> tuple[SeatOutcome[int, str], ...]:
        for number in numbers:
            copied.append(number)
            work(room.machine(number))
        return tuple(SeatOutcome(number, result="saved") for number in numbers)

    def uses(workshop: str) -> Mapping[str, SeatUse]:
        # And on some kernels it counts a little more
        new = {name: replace(one, cpu_s=1.1 * one.cpu_s) for name, one in real(workshop).items()}
        return old.setdefault(int(room.clock.now // 8), new)

    room.seats.answer = answer
    monkeypatch.setattr(homes, "save_homes", save_homes)
    monkeypatch.setattr(room.seats, "uses", uses)
    monkeypatch.setattr(room.seats, "use_of", lambda name: real("class")[name])
    looks, copies = room.looks(), room.homes()
    for _ in range(54):
        copies.do()
        if room.clock.now % 10 == 0:
            looks.do()
        room.clock.now += 5
    assert sorted(looked) == [room.machine(number) for number in range(1, 7)]
    assert sorted(copied) == [1, 2, 3, 4, 5, 6]


def test_what_its_person_did_while_we_looked_is_work(room: Room) -> None:
    before, after = SeatUse(5.0, 1, 1), SeatUse(8.0, 1, 1)
    for_copies, for_looks = quiets(room.clock)
    for_copies.looked("a", before, 0.0)
    for_looks.looked("a", before, spent_s(before, after))
    assert not for_copies.is_quiet("a", after)


def test_a_seat_that_says_nonsense_is_named_and_the_others_are_seen(room: Room) -> None:
    bad = room.machine(2)
    good = room.seats.answer
    room.seats.answer = lambda name, argv, stdin: "{}" if name == bad else good(name, argv, stdin)
    part = room.looks()
    for _ in range(4):
        part.do()
    assert set(look.looks(room.ws.store)) == {1, 3, 4, 5, 6}
    assert len(room.said) == 1
    assert room.said[0].startswith("seat02 cannot be looked into: ")


def test_a_seat_is_seen_from_within(room: Room) -> None:
    more = {
        "processes": [{"pid": 7, "command": "R \x1b[2J", "cpu_s": 1.5, "memory_mb": 80}],
        "files": [{"path": "a.R", "at": 5.0, "bytes": 3}],
        "logs": [{"name": "n", "at": 0.0, "text": "t\x07"}],
    }
    room.seats.answer = lambda *_: f"{json.dumps(ANSWER | more)}\n{json.dumps(APPS)}"
    seen = look.inside(room.ws, 2)
    assert [one.command for one in seen.processes] == ["R \N{REPLACEMENT CHARACTER}[2J"]
    assert seen.logs[0].text == "t\N{REPLACEMENT CHARACTER}"
    assert seen.files[0].path == "a.R"


def test_quiet_is_what_has_not_worked_since_it_was_looked_into() -> None:
    quiet, use = Quiet(10), SeatUse(cpu_s=5.0, memory_mb=1, processes=1)
    assert not quiet.is_quiet("a", use)
    quiet.looked("a", use, 0.0)
    assert not quiet.is_quiet("a", None)
    assert quiet.is_quiet("a", replace(use, cpu_s=5.01))
    assert not quiet.is_quiet("a", replace(use, cpu_s=5.1))
    # It was started again
    assert not quiet.is_quiet("a", replace(use, cpu_s=0.1))


def test_what_servers_use_while_nobody_works_is_quiet_too() -> None:
    clock, use = Clock(), SeatUse(cpu_s=5.0, memory_mb=1, processes=1)
    quiet = Quiet(10, 0.002, clock)
    quiet.looked("a", use, 0.0)
    assert not quiet.is_quiet("a", replace(use, cpu_s=5.1))
    clock.now += 80
    assert quiet.is_quiet("a", replace(use, cpu_s=5.1))
    assert not quiet.is_quiet("a", replace(use, cpu_s=5.3))


def test_homes_do_not_come_later_each_time(room: Room, saved: list[tuple[float, int]]) -> None:
    part = room.homes()
    for _ in range(40):
        part.do()
        for number in range(1, 7):
            room.seats.cpu_s[room.machine(number)] = room.clock.now
        room.clock.now += 7
    assert [at for at, number in saved if number == 2] == [14, 70, 133, 196, 252]


def test_a_sentence_is_said_once_and_again_after_a_while() -> None:
    said: list[str] = []
    clock = Clock(1.0)
    told = Told(said.append, clock)
    for _ in range(3):
        told.tell("the proxy", "no")
    assert said == ["no"]
    clock.now += 601
    told.tell("the proxy", "no")
    told.well("the proxy")
    told.well("the proxy")
    assert said == ["no", "no", "the proxy: well again"]


def test_the_proxy_is_asked_for_when_it_is_gone_or_the_map_has_changed(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [True]
    calls: list[RunningWorkshop] = []
    monkeypatch.setattr(proxy, "proxy_runs", lambda _: runs[0])
    monkeypatch.setattr(proxy, "ensure_proxy", calls.append)
    part = ProxyPart(Fresh(room.ws))
    part.do()
    part.do()
    assert len(calls) == 1
    put_machine(room.ws, 1, {3838: "10.0.0.77:3838"})
    part.do()
    assert len(calls) == 2
    runs[0] = False
    part.do()
    assert len(calls) == 3
    # But not when the workshop closes: it was ended on purpose
    room.ws.store.write(room.ws.record.model_copy(update={"is_closing": True}))
    part.do()
    assert len(calls) == 3


def test_the_record_is_read_again_when_it_has_changed(room: Room) -> None:
    fresh = Fresh(room.ws)
    first = fresh.workshop()
    assert fresh.workshop() is first
    room.ws.store.write(room.ws.record.model_copy(update={"image_key": "k2"}))
    assert fresh.workshop().record.image_key == "k2"


def test_a_part_that_fails_or_hangs_stops_no_other(room: Room) -> None:
    hang, seen = threading.Event(), []

    def fail() -> None:
        raise RuntimeError("broken")

    def count() -> None:
        seen.append(1)

    def wait() -> None:
        hang.wait(20)

    parts = [
        Part("hangs", 1, wait),
        Part("fails", 0.01, fail),
        Part("counts", 0.01, count),
    ]
    tending.tend(parts, room.said.append, lambda: len(seen) >= 3)
    hang.set()
    assert len(seen) >= 3
    assert "fails: RuntimeError: broken" in room.said
    assert wait_until(
        lambda: not [one for one in threading.enumerate() if one.name in ("fails", "counts")],
        Deadline(5),
        every_s=0.01,
    )
