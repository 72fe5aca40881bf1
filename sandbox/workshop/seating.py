"""Who gets which seat when a workshop is opened, or its file has changed. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.errors import UsageError
from sandbox.workshop.names import seat_word
from sandbox.workshop.seat_map import Holder, Seat, SeatMap


@dataclass(frozen=True)
class Seating:
    """What a workshop file asks for."""

    people: tuple[Holder, ...]
    """From the roster; empty when the file only says how many seats there are."""
    seats: int
    """All seats, with the spare ones."""


def seated(seats: SeatMap, wanted: Seating, *, fewer: int = 0) -> SeatMap:
    """Return the map with a seat for each new person, and with as many seats as the file says.

    Nobody loses a seat, also not somebody whose line has gone from the roster.

    Args:
        seats: the map as it is.
        wanted: what the file says now.
        fewer: by how many seats the file says less than before: so many spare ones are retired.

    Raises:
        UsageError: fewer seats are wanted than were given to people.
    """
    new = [one for one in wanted.people if seat_of(seats, one) is None]
    seats = _with_new_names(seats, wanted.people).with_more(new)
    count = sum(not one.retired for one in seats.seats)
    if count < wanted.seats:
        return seats.with_more([None] * (wanted.seats - count))
    return _with_fewer(seats, min(fewer, count - wanted.seats))


def _with_new_names(seats: SeatMap, people: Sequence[Holder]) -> SeatMap:
    """Somebody's name was written better: the address says who it is."""
    for person in people:
        seat = seat_of(seats, person)
        if seat is not None and seat.holder is not None and seat.holder.name != person.name:
            holder = seat.holder.model_copy(update={"name": person.name})
            seats = seats.with_seat(seat.model_copy(update={"holder": holder}))
    return seats


def _with_fewer(seats: SeatMap, fewer: int) -> SeatMap:
    spare = [one for one in seats.seats if one.is_spare]
    if fewer <= 0:
        return seats
    if len(spare) < fewer:
        raise UsageError(
            f"{fewer} seats fewer are wanted, and {len(spare)} are given to nobody",
            details="a seat that somebody has is never taken away",
            hint="say the number of before in the workshop file",
        )
    for seat in spare[len(spare) - fewer :]:
        seats = seats.with_seat(seat.model_copy(update={"retired": True, "ready": False}))
    return seats


def seat_of(seats: SeatMap, person: Holder) -> Seat | None:
    """Find the seat of a person: by e-mail when both have one, else by name."""
    held = (one for one in seats.seats if one.holder is not None and not one.retired)
    return next((one for one in held if one.holder and _are_one(one.holder, person)), None)


def _are_one(one: Holder, other: Holder) -> bool:
    if one.email and other.email:
        return one.email.lower() == other.email.lower()
    return " ".join(one.name.split()).lower() == " ".join(other.name.split()).lower()


def words_of(seats: Sequence[Seat]) -> str:
    """Write seats as a list: `seat03 (Ada), seat07`."""
    return ", ".join(
        seat_word(one.number) + (f" ({one.holder.name})" if one.holder else "") for one in seats
    )
