"""A stand-in for an open workshop: its folder is real, its machines are in memory."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sandbox.files import write_whole
from sandbox.providers.engine import Power
from sandbox.providers.place import Place
from sandbox.providers.seats import SeatLabel, SeatMachine
from sandbox.spec.workshop import Exercise, Listen, Workshop
from sandbox.workflows.context import Context
from sandbox.workflows.workshop.running import RunningWorkshop
from sandbox.workshop.record import WorkshopRecord
from sandbox.workshop.seat_answer import SeatLooks
from sandbox.workshop.seat_map import Holder, SeatMap, instance_name
from sandbox.workshop.store import WorkshopStore
from sandbox.workshop.view import SeatLook
from tests.fakes.seats import FakeSeats
from tests.unit.factories import placed, shiny_plan

NAME = "class"


def open_room(
    holders: Sequence[Holder | None],
    *,
    listen: Listen | None = None,
    exercises: int = 0,
    ready: bool = True,
) -> RunningWorkshop:
    """Open a workshop with a seat for each of these; its folder is below XDG_STATE_HOME."""
    store, seats = WorkshopStore(NAME), FakeSeats()
    workshop = Workshop(
        version=1,
        description="R for beginners",
        seats=max(1, min(240, len(holders))),
        listen=listen or Listen(),
        exercises=tuple(Exercise(name=f"ex{at}", check=f"{at}.py") for at in range(exercises)),
    )
    now = datetime.now(UTC)
    record = WorkshopRecord(
        name=NAME,
        path=Path("/class/class.workshop.yml"),
        workshop=workshop,
        placement=placed(shiny_plan()),
        image_key="key",
        remote="local",
        opened_at=now,
        ends=now + timedelta(hours=2),
    )
    store.write(record)
    made = SeatMap(workshop=NAME).with_more(holders)
    for seat in made.seats:
        serve(seats, seat.number)
    served = {"generation": 1, "member": "here", "ready": ready}
    done = tuple(one.model_copy(update=served) for one in made.seats)
    store.change(lambda _: made.model_copy(update={"seats": done}))
    store.secrets()
    return RunningWorkshop(record, store, seats, Context(place=Place("test")))


def serve(seats: FakeSeats, number: int) -> None:
    """Have a machine in memory for a seat."""
    name = instance_name(NAME, number, 1)
    upstreams = {8787: f"10.9.0.{number % 250}:8787"}
    seats.there[name] = SeatMachine(
        name, SeatLabel(NAME, number, 1), "here", Power.RUNNING, upstreams
    )


def show_looks(ws: RunningWorkshop, looks: dict[int, SeatLook]) -> None:
    """Have looks into seats as the keeper leaves them."""
    text = SeatLooks(seats=looks).model_dump_json()
    write_whole(ws.store.part() / "looks.json", text)
