"""The servers behind one Incus: this host alone, a remote one, or the members of a cluster."""

from abc import ABC
from collections.abc import Sequence
from ipaddress import IPv4Interface
from typing import Any, Final

from sandbox.host.facts import free_memory_mb
from sandbox.host.kernel_limits import read_limits
from sandbox.providers.incus.answer import environment_of
from sandbox.providers.incus.client import IncusClient, api_path
from sandbox.providers.incus.place import IncusPlace
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


class IncusMembers(ABC):
    """The part of the engine that knows the cluster; see `members.HasMembers`."""

    client: IncusClient
    place: IncusPlace

    def members(self) -> tuple[Member, ...]:
        """List the servers, also those that are offline."""
        server = self.client.query("GET", "/1.0")
        environment = environment_of(server)
        name = str(environment.get("server_name") or self.place.remote)
        if not environment.get("server_clustered"):
            return (self._member(name, target=None),)
        deep = {"recursion": "1"}
        found = self.client.query("GET", api_path("cluster", "members"), parameters=deep)
        return tuple(
            self._member(str(one["server_name"]), target=str(one["server_name"]))
            if one["status"] in _ONLINE
            else Member(str(one["server_name"]), 0, 0, 0, 0, online=False)
            for one in sorted(found, key=lambda one: str(one["server_name"]))
        )

    def _member(self, name: str, *, target: str | None) -> Member:
        at = {"target": target} if target is not None else {}
        resources = self.client.query("GET", api_path("resources"), parameters=at)
        space = (
            self.client.query(
                "GET", api_path("storage-pools", self.place.pool, "resources"), parameters=at
            ).get("space")
            or {}
        )
        is_here = self.place.is_local and target is None
        memory = resources["memory"]
        # Incus counts the page cache as used, and cannot say how much of it there is
        free_mb = int(memory["total"]) // _MB if not is_here else free_memory_mb()
        return Member(
            name=name,
            cpus=int(resources["cpu"]["total"]),
            memory_mb=free_mb,
            disk_mb=(int(space.get("total") or 0) - int(space.get("used") or 0)) // _MB,
            addresses=self._free_addresses(target),
            limits=read_limits(KERNEL_LIMITS) if is_here else {},
        )

    def _free_addresses(self, target: str | None) -> int:
        network = self.client.query("GET", api_path("networks", self.place.network))
        subnet = (network.get("config") or {}).get("ipv4.address") or ""
        if "/" not in subnet:
            return 0
        size = IPv4Interface(subnet).network.num_addresses - _NOT_FOR_MACHINES
        leases: Sequence[dict[str, Any]] = (
            self.client.query("GET", api_path("networks", self.place.network, "leases")) or ()
        )
        taken = {
            str(one["address"])
            for one in leases
            if ":" not in str(one["address"])
            and one.get("type") != "gateway"
            and target in (None, one.get("location"))
        }
        return max(0, size - len(taken))
