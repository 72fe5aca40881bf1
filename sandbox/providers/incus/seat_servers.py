"""Where the machines of seats are, and how this host reaches them: one server, or a cluster.

On this host the proxy reaches a seat's own address. A seat elsewhere is reached through doors at
the address of its server (seat_doors.py).
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from sandbox.providers.incus.client import IncusClient, api_path
from sandbox.providers.incus.cluster import IncusCluster, location_of
from sandbox.providers.incus.remotes import host_and_port
from sandbox.providers.incus.seat_doors import doors, upstreams_through
from sandbox.providers.incus.seat_request import address_of, ports_of
from sandbox.providers.incus.server import server_name


class SeatServers:
    """The servers behind one Incus. May be used from threads."""

    def __init__(self, client: IncusClient) -> None:
        self.cluster = IncusCluster(client)
        self._client = client
        self._name = ""
        self._carriers: dict[str, str] = {}
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """The one server's name, as `members` gives it.

        Raises:
            HostError, ProviderError: Incus cannot be asked.
        """
        if not self._name:
            self._name = server_name(self._client)
        return self._name

    def target(self, member: str) -> dict[str, str]:
        """Return the parameters of a request that is for one server."""
        return {"target": member} if self.cluster.is_one else {}

    def targets(self) -> tuple[str, ...]:
        """Name the members on which a network is made one by one; empty without a cluster."""
        return tuple(one.name for one in self.cluster.members()) if self.cluster.is_one else ()

    def member_of(self, instance: dict[str, Any]) -> str:
        """Return the server that carries an instance."""
        return location_of(instance) or self.name

    def upstreams(self, instance: dict[str, Any]) -> dict[int, str]:
        """Return how the proxy reaches the ports of a machine."""
        if self.needs_doors:
            return upstreams_through(instance)
        address = address_of(instance)
        return {port: f"{address}:{port}" for port in ports_of(instance)} if address else {}

    @property
    def needs_doors(self) -> bool:
        """Whether machines are on other hosts than this one."""
        return not self._client.place.is_local or self.cluster.is_one

    def doors_of(
        self, instance: dict[str, Any], address: IPv4Address, subnet: IPv4Network
    ) -> dict[str, dict[str, str]]:
        """Return the devices through which this host reaches a machine; none on this host.

        Args:
            instance: the machine, with its labels.
            address: the one that it gets.
            subnet: of its network.
        """
        ports = ports_of(instance)
        if not ports or not self.needs_doors:
            return {}
        at = self._address(self.member_of(instance))
        return doors(address, subnet, at, ports)

    def sources(self) -> tuple[str, ...]:
        """Return this host's addresses, as the servers of the seats see them.

        It must reach them itself: behind a router that changes addresses, no seat lets it in.
        """
        if not self.needs_doors:
            return ()
        members = self.cluster.members() if self.cluster.is_one else ()
        hosts = [host_and_port(one.url)[0] for one in members] or [self._address("")]
        return tuple(sorted({found for host in hosts if (found := _own_address(host))}))

    @contextmanager
    def reaching(self, machine: str) -> Iterator[None]:
        """Say of a failure inside that the machine's member is dead, when it is.

        Raises:
            MemberLostError: it is dead before, or it died meanwhile.
        """
        member = self._carrier(machine) if self.cluster.is_one else None
        if member is None:
            yield
            return
        with self.reaching_member(member):
            yield

    @contextmanager
    def reaching_member(self, member: str) -> Iterator[None]:
        """Like `reaching`, for a member. Inside, the member itself is asked where that is possible.

        Raises:
            MemberLostError: it is dead before, or it died meanwhile.
        """
        if not self.cluster.is_one:
            yield
            return
        with self.cluster.reaching(member), self._client.straight_to(self._url_of(member)):
            yield

    def without_remote(self) -> tuple[str, ...]:
        """Name the members of a cluster that the user's `incus` cannot ask themselves."""
        members = self.cluster.members() if self.cluster.is_one else ()
        urls = {one.name: self._url_of(one.name) for one in members}
        return tuple(name for name, url in urls.items() if url and not self._client.has_way_to(url))

    def _url_of(self, member: str) -> str:
        """Where a member is; empty when this host is it, and is asked through its socket."""
        if self._client.place.is_local and member == self.name:
            return ""
        return self.cluster.url(member)

    def carriers(self, machine: str) -> tuple[str, ...]:
        """Name the member of a machine; empty without a cluster, or when there is no such one."""
        found = self._carrier(machine) if self.cluster.is_one else None
        return (found,) if found else ()

    def _carrier(self, machine: str) -> str | None:
        """The member of a machine, asked once: it stays there. None: no such machine."""
        if (known := self._carriers.get(machine)) is not None:
            return known
        # Of one instance on a dead member Incus says nothing; the list has it
        deep = {"recursion": "1"}
        found = self._client.query("GET", api_path("instances"), parameters=deep)
        with self._lock:
            self._carriers |= {str(one["name"]): location_of(one) for one in found}
            return self._carriers.get(machine)

    def forget(self, machine: str) -> None:
        """Forget where a machine was, because one of its name may be made elsewhere."""
        with self._lock:
            self._carriers.pop(machine, None)

    def _address(self, member: str) -> str:
        if self.cluster.is_one:
            return self.cluster.address(member)
        host = host_and_port(self._client.remote_url)[0]
        with suppress(OSError):
            return socket.gethostbyname(host)
        return host


def _own_address(host: str) -> str:
    """The address from which this host speaks to another; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one, suppress(OSError):
        one.connect((host, 9))
        return str(one.getsockname()[0])
    return ""
