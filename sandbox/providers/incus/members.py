"""The servers behind one Incus: this host alone, a remote one, or the members of a cluster."""

import time
from collections.abc import Callable
from contextlib import suppress
from ipaddress import IPv4Interface
from typing import Final

from sandbox.host.facts import free_memory_mb
from sandbox.host.kernel_limits import read_limits
from sandbox.providers.incus.client import IncusClient, api_path
from sandbox.providers.incus.cluster import IncusCluster, location_of
from sandbox.providers.incus.server import ServerMember, server_name
from sandbox.providers.members import Member
from sandbox.providers.seats import MemberLostError

_MB: Final = 1024**2
_KNOWN_S: Final = 60.0
_NOT_FOR_MACHINES: Final = 3
"""Addresses of a network that no machine gets: its own, the bridge's, the broadcast."""
KERNEL_LIMITS: Final = (
    "fs.inotify.max_user_instances",
    "fs.file-max",
    "kernel.keys.maxkeys",
    "kernel.keys.maxbytes",
    "kernel.pid_max",
    "net.ipv4.neigh.default.gc_thresh3",
)


class KnownMembers:
    """What servers have, asked rarely: which members of a cluster are online, is asked each time.

    A watch that asks every few seconds must cost little. May be used from threads.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, Member]] = {}

    def of(self, name: str, ask: Callable[[], Member]) -> Member:
        """Return what a member has, as it was at most a minute ago."""
        at, known = self._known.get(name, (0.0, None))
        if known is None or time.monotonic() - at > _KNOWN_S:
            known = ask()
            self._known[name] = (time.monotonic(), known)
        return known


def incus_members(
    client: IncusClient,
    cluster: IncusCluster | None = None,
    known: KnownMembers | None = None,
) -> tuple[Member, ...]:
    """List the servers, also those that are offline.

    Args:
        client: of our place.
        cluster: what is known of its members already.
        known: what they have; None: all is asked.

    Raises:
        HostError, ProviderError: Incus cannot be asked.
    """
    asked = cluster or IncusCluster(client)
    facts = known or KnownMembers()
    if not asked.is_one:
        return (facts.of("", lambda: _member(client, server_name(client), target=None)),)
    found = asked.members()
    # While a member is away, Incus may take 20 seconds to say what is where
    all_online = all(one.online for one in found)

    def ask(name: str) -> Member:
        with asked.asking(name):
            return _member(client, name, target=name, count=all_online)

    return tuple(_member_if_alive(one, facts, ask) for one in found)


def _member_if_alive(
    member: ServerMember, known: KnownMembers, ask: Callable[[str], Member]
) -> Member:
    if member.online:
        # It may die while it is asked
        with suppress(MemberLostError):
            return known.of(member.name, lambda: ask(member.name))
    return Member(member.name, 0, 0, 0, 0, online=False)


def _member(client: IncusClient, name: str, *, target: str | None, count: bool = True) -> Member:
    place, at = client.place, {"target": target} if target is not None else {}
    resources = client.query("GET", api_path("resources"), parameters=at)
    pool = api_path("storage-pools", place.pool, "resources")
    space = client.query("GET", pool, parameters=at).get("space") or {}
    is_here = place.is_local and target is None
    # Incus counts the page cache as used, and cannot say how much of it there is
    total_mb = int(resources["memory"]["total"]) // _MB
    return Member(
        name=name,
        cpus=int(resources["cpu"]["total"]),
        memory_mb=free_memory_mb() if is_here else total_mb,
        disk_mb=(int(space.get("total") or 0) - int(space.get("used") or 0)) // _MB,
        addresses=_free_addresses(client, target, count=count),
        limits=read_limits(KERNEL_LIMITS) if is_here else {},
    )


def _free_addresses(client: IncusClient, target: str | None, *, count: bool) -> int:
    network = api_path("networks", client.place.network)
    subnet = (client.query("GET", network).get("config") or {}).get("ipv4.address") or ""
    if "/" not in subnet:
        return 0
    size = IPv4Interface(subnet).network.num_addresses - _NOT_FOR_MACHINES
    if not count:
        return size
    if target is not None:
        # Incus cannot list a network's leases while a member is away
        instances = client.query("GET", api_path("instances"), parameters={"recursion": "1"})
        return max(0, size - sum(location_of(one) == target for one in instances))
    leases = client.query("GET", api_path("networks", client.place.network, "leases")) or ()
    taken = {
        str(one["address"])
        for one in leases
        if ":" not in str(one["address"]) and one.get("type") != "gateway"
    }
    return max(0, size - len(taken))
