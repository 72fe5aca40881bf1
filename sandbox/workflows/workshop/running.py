"""A workshop that is open, as every command on it needs it."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Self

from sandbox.errors import SandboxError, UsageError
from sandbox.events import Listener
from sandbox.providers.members import Member
from sandbox.providers.seats import HasSeats, Seats
from sandbox.spec.workshop import Workshop
from sandbox.workflows.context import Context
from sandbox.workshop.names import seat_host, seat_word, url_of
from sandbox.workshop.record import WorkshopRecord
from sandbox.workshop.seat_map import Seat, SeatMap
from sandbox.workshop.store import WorkshopStore


@dataclass(frozen=True)
class RunningWorkshop:
    """An open workshop: its record, its folder, and the provider of its machines."""

    record: WorkshopRecord
    store: WorkshopStore
    seats: Seats
    context: Context

    @classmethod
    def named(cls, name: str, context: Context) -> Self:
        """Return an open workshop by its name.

        Raises:
            UsageError: it is not open on this host.
            BrokenFileError: its record is damaged.
        """
        store = WorkshopStore(name)
        record = store.require()
        return cls(record, store, seats_at(record.remote, context, others_of(record)), context)

    @property
    def name(self) -> str:
        """The workshop's name."""
        return self.record.name

    @property
    def workshop(self) -> Workshop:
        """What its file says."""
        return self.record.workshop

    @property
    def listener(self) -> Listener:
        """Who hears of each step."""
        return self.context.listener

    def map(self) -> SeatMap:
        """Read the seat map as it is now."""
        return self.store.seats()

    def seat(self, number: int) -> Seat:
        """Read one seat as it is now.

        Raises:
            UsageError: there is no such seat.
        """
        seats = self.map()
        try:
            return seats.seat(number)
        except KeyError:
            last = seats.seats[-1].number if seats.seats else 0
            raise UsageError(
                f"the workshop {self.name} has no {seat_word(number)}",
                details=f"its seats are {seat_word(1)} to {seat_word(last)}" if last else "",
                hint=f"sandbox workshop status {self.name}",
            ) from None

    def url(self, seat: Seat) -> str:
        """Return the address that the person of a seat types."""
        said = self.workshop
        host = seat_host(seat.number, said.names.domain)
        return url_of(host, said.listen.port, tls=said.tls is not None)


def carriers(ws: RunningWorkshop, members: Iterable[Member]) -> list[Member]:
    """Return the servers that may get new seats; one that was emptied only where no other is."""
    online = [one for one in members if one.online]
    resting = ws.store.require().resting
    return [one for one in online if one.name not in resting] or online


def require_open(ws: RunningWorkshop) -> None:
    """Refuse when the workshop is closing.

    Raises:
        UsageError: it is.
    """
    if ws.store.require().is_closing:
        raise UsageError(
            f"the workshop {ws.name} is closing", hint=f"sandbox workshop down {ws.name}"
        )


def others_of(record: WorkshopRecord) -> tuple[str, ...]:
    """Return the other remotes of the cluster that carries the workshop."""
    return tuple(one for one in record.workshop.remotes if one != record.remote)


def seats_at(remote: str, context: Context, others: Sequence[str] = ()) -> Seats:
    """Return what makes machines for seats, at this host or a remote.

    Args:
        remote: the provider's word for the server.
        context: of the command.
        others: more remotes that lead to the same cluster; the first that answers is asked.

    Raises:
        UsageError: no provider here carries seats.
    """
    place = replace(context.place, remote=remote, other_remotes=tuple(others))
    for provider in context.providers.values():
        if isinstance(provider, HasSeats):
            return provider.seats(place)
    raise UsageError("no provider here carries seats", hint="sandbox doctor")


def first_answering(remotes: Sequence[str], context: Context) -> str:
    """Return the first server of a cluster that answers; without any, the place of the context.

    Raises:
        SandboxError: none answers; the error is that of the last.
    """
    for remote in remotes[:-1]:
        with suppress(SandboxError):
            seats_at(remote, context).members()
            return remote
    return remotes[-1] if remotes else context.place.remote
