"""The machines of a workshop's seats: many clones of one baked image, on the servers of a provider.

A seat and its machine are two things: which machine serves a seat is in the seat map
(sandbox.workshop.seat_map). A provider makes machines, says which are there, and removes them.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

from sandbox.errors import ProviderError
from sandbox.events import Listener
from sandbox.providers.engine import Power, SshEndpoint
from sandbox.providers.members import Member
from sandbox.providers.place import Place
from sandbox.run import Completed


class MemberLostError(ProviderError):
    """The server that carries the machine does not answer; its machine may still run."""


@dataclass(frozen=True)
class SeatLabel:
    """What the labels of a machine say: the seat that it was made for."""

    workshop: str
    seat: int
    generation: int


_NAME: Final = re.compile(r"ws-([a-z0-9-]+)-([0-9]{2,3})-g([0-9]+)")


def label_in(name: str) -> SeatLabel | None:
    """Read what the name of a seat's machine says: all that is known while its member is away."""
    found = _NAME.fullmatch(name)
    return SeatLabel(found[1], int(found[2]), int(found[3])) if found else None


@dataclass(frozen=True)
class SeatWish:
    """A machine that is to be made."""

    name: str
    """Its name, which no other machine has or had."""
    label: SeatLabel
    image_key: str
    """The key of the baked image; the member has one of that key (`spread`)."""
    member: str
    """The server that is to carry it, by the name that `members` gives."""
    cpus: int
    memory_mb: int
    """The most that it gets; it has no swap."""
    processes: int
    disk_gb: int
    ports: tuple[int, ...]
    """The ports of its servers that the proxy on this host must reach."""
    authorized_key: str
    """The public key, one line, by which this program logs in for the checks of exercises."""
    replica: str = ""
    """A replica on that member, of which it is a clone instead: what is the seat's own in it
    (machine id, host keys, keys of cookies) stays. Empty: the image."""


@dataclass(frozen=True)
class SeatMachine:
    """A machine that is there, whatever its state."""

    name: str
    label: SeatLabel
    member: str
    power: Power
    upstreams: Mapping[int, str] = field(default_factory=dict)
    """By port of the machine: `address:port` as this host reaches it."""


@dataclass(frozen=True)
class Furnishing:
    """What is done in a machine that is being made; both may be at work at the same time."""

    meanwhile: Callable[[SeatMachine], None]
    """Called as soon as commands can be run in it, while it comes up."""
    when_up: Callable[[SeatMachine], None]
    """Called when it is up, and has its address."""


@dataclass(frozen=True)
class SeatUse:
    """What a machine uses now."""

    cpu_s: float
    """Seconds of processor since it started: it grows only when something happens there."""
    memory_mb: int
    processes: int
    disk_mb: int | None = None
    """None where the pool cannot say."""


class Seats(Protocol):
    """Makes, lists and removes the machines of seats. Its methods may be called from threads."""

    def members(self) -> tuple[Member, ...]:
        """List the servers, also those that are offline.

        Raises:
            HostError, ProviderError: the provider cannot be asked.
        """
        ...

    def images(self, key: str) -> Mapping[str, str]:
        """Return the complete baked images of a key by the member that has one.

        Raises:
            HostError, ProviderError: the provider cannot be asked.
        """
        ...

    def spread(self, key: str, members: Sequence[str], listener: Listener) -> None:
        """Copy the baked image of a key to each of these members that lacks one.

        Raises:
            ProviderError: no member has such an image, or a copy failed; nothing half is left.
        """
        ...

    def prepare(self, workshop: str, may_reach: Sequence[str], listener: Listener) -> None:
        """Make the rules of the network for the seats of a workshop; can be done again.

        A seat reaches its network's DNS, what `may_reach` names (`host:port`), and nothing else:
        no other seat, no service of a server, no metadata address. The proxy reaches the seat.

        Raises:
            ProviderError: the rules cannot be made: then no seat may be started.
        """
        ...

    def make(
        self,
        wish: SeatWish,
        listener: Listener,
        *,
        furnishing: Furnishing | None = None,
    ) -> SeatMachine:
        """Clone the member's baked image, start the clone, wait until it is up.

        Host keys, machine id and the keys of its servers' cookies are its own. A machine of that
        name that an interrupted call has left is removed first.

        Args:
            wish: the machine.
            listener: hears of each step.
            furnishing: what the caller does in it; the machine is made when that is done, too. An
                error of it is raised as it is.

        Raises:
            MemberLostError: the member does not answer.
            ProviderError: the machine does not get ready; nothing of it is left.
        """
        ...

    def machines(self, workshop: str) -> tuple[SeatMachine, ...]:
        """List all machines of a workshop, also old and stopped ones, by one question.

        Raises:
            HostError, ProviderError: the provider cannot be asked.
        """
        ...

    def start(self, name: str, listener: Listener) -> SeatMachine:
        """Start a machine that was stopped, and wait until it is up.

        Raises:
            MemberLostError, ProviderError: it does not come up.
        """
        ...

    def stop(self, name: str) -> None:
        """Stop a machine, by force after a few seconds; does nothing for one that is stopped.

        Raises:
            MemberLostError, ProviderError: it cannot be stopped.
        """
        ...

    def remove(self, name: str) -> None:
        """Remove a machine whatever its state; does nothing when it is gone.

        Raises:
            MemberLostError, ProviderError: it cannot be removed, or it is no machine of a seat.
        """
        ...

    def run(
        self,
        name: str,
        argv: Sequence[str],
        *,
        timeout_s: float,
        stdin: str | bytes | Path | None = None,
        output: Path | None = None,
        check: bool = True,
    ) -> Completed:
        """Run a command as root in a running machine.

        Args:
            name: the machine's.
            argv: the command; never a shell line.
            timeout_s: after so long it is ended.
            stdin: its input, or a file with it.
            output: a file that gets its stdout, byte by byte; `Completed.stdout` is empty then.
            check: raise an error when it fails.

        Raises:
            MemberLostError: the member does not answer.
            ProviderError: the machine does not run, or (with `check`) the command failed.
        """
        ...

    def ssh_endpoint(self, name: str) -> SshEndpoint:
        """Return how this host logs in to a running machine, with the host keys it has.

        Raises:
            MemberLostError, ProviderError: the machine does not run, or says no host key.
        """
        ...

    def uses(self, workshop: str) -> Mapping[str, SeatUse]:
        """Say what the running machines use, by name; those that cannot be asked are left out.

        Raises:
            HostError, ProviderError: the provider cannot be asked.
        """
        ...

    def use_of(self, name: str) -> SeatUse | None:
        """Say what one machine uses at this very moment; None when it does not run.

        What `uses` says of all may be some seconds old.

        Raises:
            MemberLostError, HostError, ProviderError: it cannot be asked.
        """
        ...

    def clear(self, workshop: str) -> None:
        """Remove the rules that `prepare` made, and copies that `spread` made; can be done again.

        Raises:
            ProviderError: something cannot be removed.
        """
        ...

    def left(self, workshop: str) -> tuple[str, ...]:
        """Name everything of the workshop that is still there: `instance ws-…`, `network acl …`.

        Raises:
            HostError, ProviderError: the provider cannot be asked.
        """
        ...


@runtime_checkable
class HasSeats(Protocol):
    """Providers that can carry workshops."""

    def seats(self, place: Place) -> Seats:
        """Return the seats of a place."""
        ...
