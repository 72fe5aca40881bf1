"""Open workshops for tests: made of their files alone, on machines in memory."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sandbox.providers.place import Place
from sandbox.providers.seats import SeatLabel, SeatWish
from sandbox.spec.workshop import Workshop
from sandbox.workflows.context import Context
from sandbox.workflows.workshop.running import RunningWorkshop
from sandbox.workshop.record import WorkshopRecord
from sandbox.workshop.seat_map import SeatMap, instance_name
from sandbox.workshop.store import WorkshopStore
from tests.fakes.seats import FakeSeats
from tests.unit.factories import placed, shiny_plan


def open_workshop_of(
    count: int,
    *,
    name: str = "class",
    said: Mapping[str, Any] | None = None,
    services: Mapping[str, Any] | None = None,
    seats: FakeSeats | None = None,
) -> RunningWorkshop:
    """Write the folder of a workshop with so many seats, none of which has a machine yet.

    Its folder is below XDG_STATE_HOME: set that first.
    """
    plan = shiny_plan()
    if services is not None:
        fields = plan.services.model_validate(services)
        plan = plan.model_copy(update={"services": fields})
    store = WorkshopStore(name)
    record = WorkshopRecord(
        name=name,
        path=store.folder / f"{name}.workshop.yml",
        workshop=Workshop.model_validate({"version": 1, "seats": count, **(said or {})}),
        placement=placed(plan),
        image_key="k1",
        remote="local",
        opened_at=datetime.now(UTC),
    )
    store.write(record)
    store.change(lambda _: SeatMap(workshop=name).with_more([None] * count))
    return RunningWorkshop(record, store, seats or FakeSeats(), Context(place=Place("test")))


def put_machine(ws: RunningWorkshop, number: int, upstreams: Mapping[int, str]) -> str:
    """Give a seat its next machine, which answers there; return the machine's name."""
    seat = ws.store.change_seat(
        number,
        lambda one: one.model_copy(
            update={
                "generation": one.generation + 1,
                "upstreams": upstreams,
                "ready": True,
                "member": "here",
            }
        ),
    )
    name = instance_name(ws.name, number, seat.generation)
    if isinstance(ws.seats, FakeSeats):
        ws.seats.images_of.setdefault("k1", {"here": "Baked"})
        label = SeatLabel(ws.name, number, seat.generation)
        wish = SeatWish(
            name, label, "k1", "here", 1, 512, 500, 5, tuple(upstreams), "ssh-ed25519 A"
        )
        ws.seats.make(wish, lambda _: None)
    return name
