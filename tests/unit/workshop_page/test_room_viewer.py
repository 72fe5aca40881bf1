"""What a look of the trainer's page asks of the provider, and how often."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from sandbox.providers.members import Member
from sandbox.providers.seats import SeatMachine, SeatUse
from sandbox.workflows.workshop import keeper
from sandbox.workflows.workshop.running import RunningWorkshop
from sandbox.workshop.view import SeatState, WorkshopView
from sandbox.workshop_page.actions import RoomViewer
from tests.fakes.seats import FakeSeats
from tests.fakes.workshops import open_workshop_of, put_machine


@dataclass
class CountedSeats(FakeSeats):
    """Counts what it is asked."""

    asked: Counter[str] = field(default_factory=Counter)
    cpu_s: float = 1.0

    def machines(self, workshop: str) -> tuple[SeatMachine, ...]:
        self.asked["machines"] += 1
        return super().machines(workshop)

    def members(self) -> tuple[Member, ...]:
        self.asked["members"] += 1
        return super().members()

    def uses(self, workshop: str) -> Mapping[str, SeatUse]:
        self.asked["uses"] += 1
        return {one.name: SeatUse(self.cpu_s, 100, 20) for one in super().machines(workshop)}


class Room:
    """A room of four, and its viewer on a clock of the test's own."""

    def __init__(self) -> None:
        self.seats, self.now = CountedSeats(), 1000.0
        self.ws: RunningWorkshop = open_workshop_of(4, seats=self.seats)
        for number in range(1, 5):
            put_machine(self.ws, number, {3838: f"10.0.0.{number}:3838"})
        self.viewer = RoomViewer(lambda: self.now)

    def look(self) -> WorkshopView:
        self.seats.asked.clear()
        return self.viewer(self.ws)


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Room:
    monkeypatch.setattr(keeper, "keeper_runs", lambda _: True)
    return Room()


def test_what_is_in_files_is_shown_without_a_question(room: Room) -> None:
    room.look()
    assert room.seats.asked == {"machines": 1, "members": 1, "uses": 1}
    room.now += 1
    asked_at = datetime.now(UTC)
    room.ws.store.change_seat(2, lambda one: one.model_copy(update={"asked_at": asked_at}))
    assert room.look().seats[1].asked_at == asked_at
    assert not room.seats.asked


def test_a_new_machine_is_asked_for_at_once(room: Room) -> None:
    room.look()
    put_machine(room.ws, 3, {3838: "10.0.0.99:3838"})
    assert room.look().seats[2].state is SeatState.READY
    assert room.seats.asked["machines"] == 1


def test_machines_are_asked_for_at_each_look_and_what_they_use_seldom(room: Room) -> None:
    room.look()
    told: Counter[str] = Counter()
    views: list[WorkshopView] = []
    for _ in range(30):
        room.now += 2
        room.seats.cpu_s += 0.5
        views.append(room.look())
        told += room.seats.asked
    assert told == {"machines": 30, "members": 30, "uses": 6}
    assert {one.cpu_percent for one in views[-1].seats} == {25.0}
