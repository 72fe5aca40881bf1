"""The servers that carry the machines of one provider: this host, or the members of a cluster."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from sandbox.providers.place import Place


@dataclass(frozen=True)
class Member:
    """A server, and what it can still carry."""

    name: str
    cpus: int
    memory_mb: int
    """Memory that nothing else uses."""
    disk_mb: int
    """Space that is free in our pool."""
    addresses: int
    """Addresses that are free in our network."""
    online: bool = True
    limits: Mapping[str, int] = field(default_factory=dict)
    """Limits of its kernel, by sysctl's names; empty where they cannot be read from here."""


@runtime_checkable
class HasMembers(Protocol):
    """Providers whose machines can be on several servers."""

    def members(self, place: Place) -> tuple[Member, ...]:
        """List the servers, also those that are offline.

        Raises:
            HostError, ProviderError: the provider cannot be asked.
        """
        ...
