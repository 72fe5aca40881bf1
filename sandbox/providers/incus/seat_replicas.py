"""Replicas of seats' machines in a cluster: stopped clones that `copy --refresh` brings up to date.

Without snapshots, such a copy sends only files that differ. Where the pool has snapshots of its own
(btrfs, zfs), Incus takes one of the running machine and sends that, so that all files are of one
moment. It works in place, and removes the snapshots of what it works on: so each copy gets a clone.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from sandbox.deadline import Deadline, wait_until
from sandbox.errors import ProviderError
from sandbox.events import Listener, StepOutput
from sandbox.providers.incus.client import IncusClient, NotFoundError, api_path
from sandbox.providers.incus.cluster import location_of
from sandbox.providers.incus.seat_request import (
    is_replica,
    refresh_body,
    replica_body,
    replica_label_of,
)
from sandbox.providers.incus.seat_servers import SeatServers
from sandbox.providers.replicas import ReplicaWish, SeatReplica

_CLONE_S: Final = 300.0
_COPY_S: Final = 1800.0
_LOOK_S: Final = 0.5
_SMART_POOLS: Final = ("btrfs", "zfs")
"""Pools in which a clone and a snapshot cost nothing."""


class IncusReplicas:
    """The replicas of seats in one Incus; see `replicas.SeatReplicas`."""

    def __init__(
        self,
        client: IncusClient,
        servers: SeatServers,
        images: Callable[[str], Mapping[str, str]],
        delete: Callable[[str], None],
        is_busy: Callable[[str], bool],
    ) -> None:
        """Keep replicas beside seats.

        Args:
            client: of our place.
            servers: that carry the seats.
            images: says the baked images of a key by member.
            delete: removes an instance, whatever state Incus left it in.
            is_busy: tells whether Incus is at work on an instance.
        """
        self._client = client
        self._servers = servers
        self._images = images
        self._delete = delete
        self._is_busy = is_busy

    def obstacle(self) -> str:
        """Say why replicas make no sense here; see `SeatReplicas.obstacle`."""
        if len(self._servers.targets()) < 2:  # noqa: PLR2004  (this server and another one)
            return (
                "there is one server, and a copy beside the seat is lost with it; homes are copied"
                " to this host in any case"
            )
        pool = self._client.place.pool
        driver = self._client.query("GET", api_path("storage-pools", pool)).get("driver")
        if driver not in _SMART_POOLS:
            return (
                f"the storage pool {pool} is of the kind {driver}: each copy would write a whole"
                " seat again, and not of one moment; btrfs and zfs can do it"
            )
        return ""

    def copy(self, wish: ReplicaWish, listener: Listener) -> None:
        """Make a replica of what the machine has now; see `SeatReplicas.copy`."""
        place, servers = self._client.place, self._servers
        servers.forget(wish.name)
        at, path = servers.target(wish.member), api_path("instances")
        with servers.reaching_member(wish.member):
            begins_as = self._find(wish.before) if wish.before else self._image(wish)
            if begins_as is None:
                raise ProviderError(f"the replica {wish.before} is not there any more")
            if not wish.before:
                listener(StepOutput(wish.machine, f"a first copy of it on {wish.member}"))
            body = replica_body(wish, begins_as, place)
            self._client.query("POST", path, body, parameters=at, timeout_s=_CLONE_S)
        # One after the other: each would take the other's death for that of its own member
        with servers.reaching(wish.machine):
            body = refresh_body(wish, begins_as, place)
            begun = self._client.query("POST", path, body, parameters=at, wait=False)
        self._await(str(begun["id"]), wish)

    def _await(self, operation: str, wish: ReplicaWish) -> None:
        """Wait for a copy from member to member, as long as both live.

        When one is cut off, Incus itself notices nothing for many minutes.
        """
        servers, path = self._servers, api_path("operations", operation)
        both = [wish.member, *servers.carriers(wish.machine)]

        def asked() -> dict[str, Any]:
            for one in both:
                servers.cluster.require(one)
            return dict(self._client.query("GET", path))

        done = wait_until(
            asked, Deadline(_COPY_S), every_s=_LOOK_S, enough=lambda one: one["status"] != "Running"
        )
        if done["status"] != "Success":
            raise ProviderError(
                f"{wish.machine} was not copied to {wish.member}",
                details=str(done.get("err") or f"it took more than {_COPY_S:.0f} s"),
            )

    def _image(self, wish: ReplicaWish) -> dict[str, Any]:
        image = self._images(wish.image_key).get(wish.member)
        if image is None:
            raise ProviderError(
                f"{wish.member} has no complete baked image {wish.image_key} for {wish.name}",
                hint="sandbox workshop up bakes it again",
            )
        return dict(self._client.query("GET", api_path("instances", image)))

    def replicas(self, workshop: str) -> tuple[SeatReplica, ...]:
        """List the replicas of a workshop; see `SeatReplicas.replicas`."""
        deep = {"recursion": "1"}
        found = []
        for one in self._client.query("GET", api_path("instances"), parameters=deep):
            label = replica_label_of(one)
            if label is not None and label[0] == workshop:
                name, reachable = str(one["name"]), one.get("status") != "Error"
                found.append(SeatReplica(name, *label, location_of(one), reachable))
        return tuple(sorted(found, key=lambda one: one.name))

    def remove(self, name: str) -> None:
        """Remove a replica; see `SeatReplicas.remove`."""
        with self._servers.reaching(name):
            if self._find(name) is not None and not self._is_busy(name):
                self._delete(name)
        self._servers.forget(name)

    def _find(self, name: str) -> dict[str, Any] | None:
        """The replica of that name; an error when it is something else."""
        self._client.ref(name)
        try:
            found = dict(self._client.query("GET", api_path("instances", name)))
        except NotFoundError:
            return None
        if not is_replica(found):
            raise ProviderError(
                f"the Incus instance {name} is no replica of a seat; it is left alone",
                hint="give the workshop another name",
            )
        return found
