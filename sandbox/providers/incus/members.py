"""The servers behind one Incus: this host alone, a remote one, or the members of a cluster."""

from ipaddress import IPv4Interface
from typing import Final

from sandbox.host.facts import free_memory_mb
from sandbox.host.kernel_limits import read_limits
from sandbox.providers.incus.answer import environment_of
from sandbox.providers.incus.client import IncusClient, api_path
from sandbox.providers.members import Member

_MB: Final = 1024**2
_ONLINE: Final = ("Online",)
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


def incus_members(client: IncusClient) -> tuple[Member, ...]:
    """List the servers, also those that are offline.

    Raises:
        HostError, ProviderError: Incus cannot be asked.
    """
    environment = environment_of(client.query("GET", "/1.0"))
    name = str(environment.get("server_name") or client.place.remote)
    if not environment.get("server_clustered"):
        return (_member(client, name, target=None),)
    deep = {"recursion": "1"}
    found = client.query("GET", api_path("cluster", "members"), parameters=deep)
    return tuple(
        _member(client, str(one["server_name"]), target=str(one["server_name"]))
        if one["status"] in _ONLINE
        else Member(str(one["server_name"]), 0, 0, 0, 0, online=False)
        for one in sorted(found, key=lambda one: str(one["server_name"]))
    )


def _member(client: IncusClient, name: str, *, target: str | None) -> Member:
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
        addresses=_free_addresses(client, target),
        limits=read_limits(KERNEL_LIMITS) if is_here else {},
    )


def _free_addresses(client: IncusClient, target: str | None) -> int:
    network = api_path("networks", client.place.network)
    subnet = (client.query("GET", network).get("config") or {}).get("ipv4.address") or ""
    if "/" not in subnet:
        return 0
    size = IPv4Interface(subnet).network.num_addresses - _NOT_FOR_MACHINES
    leases = client.query("GET", api_path("networks", client.place.network, "leases")) or ()
    taken = {
        str(one["address"])
        for one in leases
        if ":" not in str(one["address"])
        and one.get("type") != "gateway"
        and target in (None, one.get("location"))
    }
    return max(0, size - len(taken))
