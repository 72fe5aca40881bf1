"""Replicas of the machines of seats: stopped copies on another server, from which a seat goes on.

Each copy is a new replica: a clone of the one before, or of the server's own baked image, to which
only what differs is sent. So what a copy leaves that is cut off does no harm to the one before.
"""

import re
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

from sandbox.events import Listener
from sandbox.providers.seats import SeatLabel

_NAME: Final = re.compile(r"wr-([a-z0-9-]+)-([0-9]{2,3})-([0-9]+)")


@dataclass(frozen=True)
class ReplicaWish:
    """A replica that is to hold what a machine has now."""

    name: str
    """Its name, which no other replica has or had."""
    label: SeatLabel
    """Of the machine."""
    machine: str
    """The machine that is copied; it goes on running."""
    member: str
    """The server that carries the replica; another one than the machine's."""
    before: str
    """The replica on the same server that it begins as a clone of; empty: the baked image."""
    image_key: str
    """The key of the baked image that the machine was made from."""
    disk_gb: int


@dataclass(frozen=True)
class SeatReplica:
    """A replica that is there, whole or not."""

    name: str
    workshop: str
    seat: int
    member: str
    is_reachable: bool = True
    """False while its server is away."""


class SeatReplicas(Protocol):
    """Makes, lists and removes replicas. Its methods may be called from threads."""

    def obstacle(self) -> str:
        """Say why replicas make no sense with these servers; empty when they do.

        Raises:
            HostError, ProviderError: the provider cannot be asked.
        """
        ...

    def copy(self, wish: ReplicaWish, listener: Listener) -> None:
        """Make a replica of what the machine has now.

        Raises:
            MemberLostError: one of the two servers does not answer.
            ProviderError: it could not be copied; what is there of it is to be removed.
        """
        ...

    def replicas(self, workshop: str) -> tuple[SeatReplica, ...]:
        """List all replicas of a workshop by one question.

        Raises:
            HostError, ProviderError: the provider cannot be asked.
        """
        ...

    def remove(self, name: str) -> None:
        """Remove a replica, whole or not; does nothing when it is gone.

        One at which the provider is still at work, because a copy was cut off, stays for a later
        call.

        Raises:
            MemberLostError, ProviderError: it cannot be removed, or it is no replica.
        """
        ...


@runtime_checkable
class KeepsReplicas(Protocol):
    """Seats that can be kept as replicas, too; see `seats.Seats`."""

    def replicas(self) -> SeatReplicas:
        """Return the replicas of the same place."""
        ...


def replica_name(workshop: str, seat: int, count: int) -> str:
    """Name a replica: no longer than the name of a seat's machine, and never like one."""
    return f"wr-{workshop}-{seat:02d}-{count}"


def replica_in(name: str) -> tuple[str, int] | None:
    """Read the workshop and the seat in a replica's name; None when it is something else."""
    found = _NAME.fullmatch(name)
    return (found[1], int(found[2])) if found else None
