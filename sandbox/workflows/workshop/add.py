"""Give late people a seat: a spare one at once, and then make what takes its place."""

from collections.abc import Sequence

from sandbox.errors import HostError, UsageError
from sandbox.events import Notice
from sandbox.spec.workshop import MOST_SEATS
from sandbox.workflows.workshop import proxy
from sandbox.workflows.workshop.plan import room_for, wanted_for
from sandbox.workflows.workshop.running import RunningWorkshop, require_open
from sandbox.workflows.workshop.up import SeatsFailedError, make_seats
from sandbox.workshop.seat_map import Holder, Seat, SeatMap
from sandbox.workshop.seating import seat_of


def add(ws: RunningWorkshop, holders: Sequence[Holder | None]) -> tuple[Seat, ...]:
    """Add a seat for each of these, and return them; None for one that is nobody's yet.

    A person gets a spare seat that is ready, and a new spare one is made. Somebody who has a seat
    already keeps it, and seats that an earlier call has begun count: so it can be done again.

    Raises:
        UsageError: it is closing, or there would be more seats than one network has.
        HostError: there is no room for more seats; people got the spare ones that were ready.
        SeatsFailedError: some did not get ready.
    """
    given = give_spare(ws, [one for one in holders if one is not None])
    made = finish(ws, sum(one is None for one in holders))
    return (*(ws.seat(one.number) for one in given), *made)


def give_spare(ws: RunningWorkshop, people: Sequence[Holder]) -> tuple[Seat, ...]:
    """Give each person a seat in the map, a ready spare one first; nothing is made yet.

    For each seat that is given, there is a new spare one in the map, for `finish` to make.

    Raises:
        UsageError: the workshop is closing, or there would be too many seats.
    """
    require_open(ws)
    numbers: list[int] = []

    def change(seats: SeatMap) -> SeatMap:
        numbers.clear()
        for person in people:
            own = seat_of(seats, person)
            if own is None:
                seats, own = _with_person(seats, person)
            numbers.append(own.number)
        return _not_too_many(seats)

    seats = ws.store.change(change)
    return tuple(seats.seat(one) for one in numbers)


def finish(ws: RunningWorkshop, more: int = 0) -> tuple[Seat, ...]:
    """Make all seats that are not ready, with so many new ones among them; return the new ones.

    Raises:
        HostError: there is no room for them: no new one was begun.
        SeatsFailedError: some did not get ready.
    """

    def on_wait() -> None:
        ws.listener(Notice(ws.name, "another command makes seats: waiting for it"))

    with ws.store.hold("up", on_wait=on_wait):
        require_open(ws)
        new = more - len(ws.map().adding)
        if new > 0:
            _require_room(ws, new)
        adding: tuple[int, ...] = ()
        if more:
            adding = ws.store.change(lambda one: _not_too_many(one.with_adding(more))).adding
        failed = make_seats(ws)
        proxy.refresh_proxy(ws)
        if failed:
            raise SeatsFailedError(ws, failed)
        seats = ws.store.change(lambda one: one.model_copy(update={"adding": ()}))
    return tuple(one for one in seats.seats if one.number in adding)


def _with_person(seats: SeatMap, person: Holder) -> tuple[SeatMap, Seat]:
    spare = next(seats.spare(), None)
    if spare is None:
        seats = seats.with_more([person])
        return seats, seats.seats[-1]
    own = spare.model_copy(update={"holder": person})
    return seats.with_seat(own).with_more([None]), own


def _not_too_many(seats: SeatMap) -> SeatMap:
    count = sum(not one.retired for one in seats.seats)
    if count > MOST_SEATS:
        raise UsageError(
            f"there would be {count} seats, and a workshop has {MOST_SEATS} at most",
            hint="open a second workshop for the others",
        )
    return seats


def _require_room(ws: RunningWorkshop, more: int) -> None:
    count = sum(not one.retired for one in ws.map().seats) + more
    machine_mb = ws.record.placement.plan.machine.memory_mb
    wanted = wanted_for(ws.workshop, machine_mb, people=count, spare=0)
    found = room_for(wanted, ws.name, ws.seats)
    if not found.fits:
        raise HostError(
            f"there is no room for {more} more seats",
            details="\n".join(found.refusals),
            hint="give away spare seats, by name: sandbox workshop add "
            f"{ws.name} --name PERSON; or make `work_mb` smaller",
        )
