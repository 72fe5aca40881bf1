"""Which seat is whose, and which instance serves it now.

A seat is not its instance: an instance can be lost with its server, and come back later beside its
successor. So each instance of a seat has a generation, counted from 1, and only the instance whose
generation stands in the map is the seat. The map is the truth; a label on each instance says which
seat and generation it was made for.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict

from sandbox.providers.seats import SeatLabel

FORMAT: Final = 1
_INSTANCE: Final = re.compile(
    r"ws-(?P<workshop>[a-z0-9-]+)-(?P<seat>[0-9]{2,3})-g(?P<generation>[0-9]+)"
)
_LONGEST_NAME: Final = 63
"""Characters of an instance's name, as of a host's."""


class Holder(BaseModel):
    """Who has a seat."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    email: str = ""
    claim: str = ""
    """The hash of the cookie of the browser that claimed it; empty until a browser did."""
    since: datetime | None = None
    """When it was claimed."""
    walk_in: bool = False
    """Whether the person was on no list, and got a spare seat at the claim page."""


class Seat(BaseModel):
    """One seat."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: int
    """Counted from 1."""
    holder: Holder | None = None
    """None for a spare seat."""
    retired: bool = False
    """It was given, and its person moved elsewhere: nobody gets it again."""
    generation: int = 0
    """Of the instance that serves it; 0 when there was none yet."""
    begun: int = 0
    """The last generation of which an instance was begun: no name is ever used twice, also after a
    command was cut off, or while a lost server still has the instance of that name."""
    member: str = ""
    """The cluster's member where that instance is; empty without a cluster."""
    upstreams: Mapping[int, str] = {}
    """Where the proxy finds its servers, by their port: `address:port`; empty until it answers."""
    ready: bool = False
    """Whether its secret is set and its services have answered."""
    home_saved_at: datetime | None = None
    """When the home was last copied."""
    asked_at: datetime | None = None
    """When its person asked for help; None when nobody did, or the trainer has been there."""

    @property
    def is_spare(self) -> bool:
        """Whether it can be given to somebody."""
        return self.holder is None and not self.retired


class SeatMap(BaseModel):
    """All seats of a workshop, in the order of their numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = FORMAT
    workshop: str
    seats: tuple[Seat, ...] = ()

    def seat(self, number: int) -> Seat:
        """Return one seat.

        Raises:
            KeyError: there is no such number.
        """
        for one in self.seats:
            if one.number == number:
                return one
        raise KeyError(number)

    def with_seat(self, seat: Seat) -> Self:
        """Return the map with this seat in the place of the one with its number."""
        self.seat(seat.number)
        seats = tuple(seat if one.number == seat.number else one for one in self.seats)
        return self.model_copy(update={"seats": seats})

    def with_more(self, holders: Iterable[Holder | None]) -> Self:
        """Return the map with a new seat for each of these; None for a spare one."""
        last = self.seats[-1].number if self.seats else 0
        more = (Seat(number=last + at, holder=one) for at, one in enumerate(holders, 1))
        return self.model_copy(update={"seats": (*self.seats, *more)})

    def instance_of(self, seat: Seat, generation: int | None = None) -> str:
        """Name the instance of a seat: the present one, or the one of that generation."""
        return instance_name(self.workshop, seat.number, generation or seat.generation)

    def is_current(self, label: SeatLabel) -> bool:
        """Tell whether an instance with this label serves its seat; any other one is old."""
        if label.workshop != self.workshop:
            return False
        return any(
            (one.number, one.generation) == (label.seat, label.generation) for one in self.seats
        )

    def spare(self) -> Iterator[Seat]:
        """Yield the seats that nobody has had, ready ones first."""
        free = [one for one in self.seats if one.is_spare]
        yield from sorted(free, key=lambda one: (not one.ready, one.number))

    def claimed_by(self, claim: str) -> Seat | None:
        """Find the seat of the browser with this hash of a cookie."""
        held = (one for one in self.seats if one.holder is not None and claim)
        return next((one for one in held if one.holder and one.holder.claim == claim), None)

    def waiting_for(self, name: str, email: str = "") -> Seat | None:
        """Find the seat of a person of the roster that no browser has claimed yet."""
        wanted = (email.strip().lower(), " ".join(name.split()).lower())
        for one in self.seats:
            holder = one.holder
            if holder is None or holder.claim:
                continue
            by_email = bool(holder.email) and holder.email.lower() == wanted[0]
            by_name = not holder.email and " ".join(holder.name.split()).lower() == wanted[1]
            if by_email or by_name:
                return one
        return None


def instance_name(workshop: str, seat: int, generation: int) -> str:
    """Name an instance: unique among all seats and generations, and fit for a host's name."""
    return f"ws-{workshop}-{seat:02d}-g{generation}"


def label_of(instance: str) -> SeatLabel | None:
    """Read the name of an instance of a workshop; None when it is something else."""
    found = _INSTANCE.fullmatch(instance)
    if found is None:
        return None
    return SeatLabel(found["workshop"], int(found["seat"]), int(found["generation"]))


def longest_workshop_name() -> int:
    """Return how many characters the name of a workshop may have."""
    return _LONGEST_NAME - len(instance_name("", 999, 9999))
