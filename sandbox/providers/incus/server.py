"""Our objects in the Incus daemon, read in a few quick queries."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from ipaddress import IPv4Interface, IPv4Network
from typing import Any

from sandbox.deadline import Deadline, keep_trying
from sandbox.errors import HostError, ProviderError
from sandbox.host.privilege import RootAccess
from sandbox.providers.incus.answer import environment_of
from sandbox.providers.incus.client import (
    LEADERLESS_S,
    IncusClient,
    NotFoundError,
    NotSetUpError,
    api_path,
)
from sandbox.providers.incus.explaining import LateCommandError
from sandbox.providers.incus.place import IncusPlace
from sandbox.providers.seats import MemberLostError

_ONLINE = ("Online",)
_UNHEARD = ("Offline",)
_BACK_S = 10.0
"""Seconds until the members of a cluster reach one that was started again."""
_LIST_S = 6.0
_ELECTION_S = 40.0
"""Seconds in which a cluster that lost the leader of its database has another one."""
MARK = "user.sandbox"
"""The config key that marks our objects; its value is the prefix."""


@dataclass(frozen=True)
class Thing:
    """A pool, network or project: its owner, and its configuration."""

    name: str
    config: tuple[tuple[str, str], ...]
    status: str = "Created"
    driver: str = ""
    used_by: tuple[str, ...] = ()
    """The API paths of the things that use it."""
    locations: tuple[str, ...] = ()
    """The members of the cluster that know it."""

    @property
    def is_pending(self) -> bool:
        """Whether it waits for its other members: nobody can use it yet, and it has no mark."""
        return self.status == "Pending" and not self.used_by

    def get(self, key: str) -> str:
        """Return a config value; empty when it is not set."""
        return dict(self.config).get(key, "")

    @property
    def mark(self) -> str:
        """The prefix it was made for; empty when we did not make it."""
        return self.get(MARK)


@dataclass(frozen=True)
class Device:
    """A device of our profile."""

    name: str
    config: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ServerMember:
    """A member of the cluster."""

    name: str
    url: str
    online: bool
    is_doubted: bool = False
    """Incus has not heard of it for a while; it may live all the same."""


@dataclass(frozen=True)
class ServerFacts:
    """A daemon that answers."""

    version: str
    drivers: frozenset[str]
    """The storage drivers that can be used."""
    server_pid: int
    pools: tuple[Thing, ...]
    networks: tuple[Thing, ...]
    projects: tuple[Thing, ...]
    devices: tuple[Device, ...]
    """The devices of the default profile of our project."""
    pool_free_gb: float | None = None
    members: tuple[ServerMember, ...] = ()
    """The members of the cluster; empty for a server on its own."""
    member_networks: tuple[IPv4Network, ...] = ()
    """The networks that the members are in, as far as they say."""

    def require_members(self, what: str) -> None:
        """Return when every member of the cluster answers.

        Raises:
            HostError: one does not; the error names it.
        """
        away = [one.name for one in self.members if not one.online]
        if away:
            raise HostError(
                f"{' and '.join(away)} of the cluster {'do' if len(away) > 1 else 'does'} not"
                f" answer, and all members are needed to {what}",
                details="pools and networks are made and removed on all members at once",
                hint="start it again, and wait until Incus has heard of it (up to half a minute);\n"
                "or, when it is gone for good: "
                f"incus cluster remove --force {away[0]}",
            )

    def pool(self, name: str) -> Thing | None:
        """Find the pool of that name."""
        return _named(self.pools, name)

    def network(self, name: str) -> Thing | None:
        """Find the managed network of that name."""
        return _named(self.networks, name)

    def project(self, name: str) -> Thing | None:
        """Find the project of that name."""
        return _named(self.projects, name)


class HostClient(IncusClient):
    """The client, run as root where the user may not talk to the daemon (yet)."""

    def __init__(self, place: IncusPlace, root: RootAccess | None = None) -> None:
        super().__init__(place)
        self._root = root or RootAccess()

    def _call(self, words: Any, **options: Any) -> Any:  # noqa: ANN401  (as in the parent)
        # sudo drops our environment, and the client's messages are matched in English
        if self._root.sudo:
            words = self._root.argv(*words, env=(("LC_ALL", "C.UTF-8"), ("LANGUAGE", "C")))
        return super()._call(words, **options)


def ask_server(place: IncusPlace, root: RootAccess | None = None) -> ServerFacts:
    """Ask the daemon for its objects.

    Raises:
        HostError: the client is missing, the daemon does not answer, or we may not speak to it.
        ProviderError: it answers with an error.
    """
    ours = HostClient(place, root)
    # Pools, networks and projects belong to no project; our project may not exist yet
    everyones = HostClient(replace(place, project="default"), root)
    environment = environment_of(everyones.query("GET", "/1.0"))
    deep = {"recursion": "1"}
    # Each query is a process of its own: run together, they take half the time
    with ThreadPoolExecutor(max_workers=5) as pool:
        lists = [
            pool.submit(everyones.query, "GET", f"/1.0/{what}", parameters=deep)
            for what in ("storage-pools", "networks", "projects")
        ]
        devices = pool.submit(_devices, ours)
        free = pool.submit(_free_gb, everyones, place.pool)
        # A daemon that has none yet answers null, not an empty list
        pools, networks, projects = (future.result() or () for future in lists)
    members = cluster_members(everyones) if environment.get("server_clustered") else ()
    drivers = _drivers(environment)
    for at, one in enumerate(members):
        found = _drivers_of(everyones, one)
        if found is None:
            members = (*members[:at], replace(one, online=False), *members[at + 1 :])
        else:
            # One pool has one driver: one that all members can
            drivers &= found
    online = tuple(one.name for one in members if one.online)
    return ServerFacts(
        version=str(environment.get("server_version") or ""),
        drivers=drivers,
        server_pid=int(environment.get("server_pid") or 0),
        pools=tuple(_thing(item) for item in pools),
        networks=tuple(_thing(item) for item in networks if item.get("managed")),
        projects=tuple(_thing(item) for item in projects),
        devices=devices.result(),
        pool_free_gb=_least(
            [free.result(), *(_free_gb(everyones, place.pool, one) for one in online)]
        ),
        members=members,
        member_networks=tuple(found for one in online for found in _networks(everyones, one)),
    )


def server_name(client: IncusClient) -> str:
    """Return the name of a server of its own.

    Raises:
        HostError, ProviderError: Incus cannot be asked.
    """
    environment = environment_of(client.query("GET", "/1.0"))
    return str(environment.get("server_name") or client.place.remote)


def cluster_members(
    client: IncusClient, *, patience_s: float = _ELECTION_S
) -> tuple[ServerMember, ...]:
    """List the members of a cluster by name, also those that are offline.

    Incus calls one that has just died online for another 20 seconds. When that was the leader of
    the cluster's database, it answers nobody for half a minute, and what was asked meanwhile may
    never be answered: so it is asked again and again.

    Raises:
        HostError, ProviderError: Incus cannot be asked.
    """
    path, deep = api_path("cluster", "members"), {"recursion": "1"}
    said = keep_trying(
        lambda: client.query(
            "GET",
            path,
            parameters=deep,
            timeout_s=_LIST_S,
            patience_s=min(patience_s, LEADERLESS_S),
        ),
        Deadline(patience_s),
        despite=LateCommandError,
        every_s=0.5,
        again=lambda _: True,
    )
    found = (
        ServerMember(
            str(one["server_name"]),
            str(one["url"]),
            one["status"] in _ONLINE,
            is_doubted=one["status"] in _UNHEARD,
        )
        for one in said
    )
    return tuple(sorted(found, key=lambda one: one.name))


def _drivers_of(client: IncusClient, member: ServerMember) -> frozenset[str] | None:
    """The storage drivers of a member; None when it does not answer, whatever Incus thinks.

    One that has just been started again is not reached by the others for some seconds.
    """
    if not member.online:
        return None
    try:
        answer = keep_trying(
            lambda: client.query("GET", "/1.0", parameters={"target": member.name}),
            Deadline(_BACK_S),
            despite=MemberLostError,
            every_s=0.5,
            again=lambda _: True,
        )
    except MemberLostError:
        return None
    return _drivers(environment_of(answer))


def _drivers(environment: dict[str, Any]) -> frozenset[str]:
    found = environment.get("storage_supported_drivers") or ()
    return frozenset(str(item["Name"]) for item in found)


def _networks(client: IncusClient, member: str) -> tuple[IPv4Network, ...]:
    """The networks of a member's own links; our subnet must not hide one of them."""
    at = {"target": member}
    found: list[IPv4Network] = []
    for link in client.query("GET", "/1.0/networks", parameters={**at, "recursion": "1"}):
        if link.get("managed") or link.get("type") == "loopback":
            continue
        path = api_path("networks", str(link["name"]), "state")
        for one in client.query("GET", path, parameters=at).get("addresses") or ():
            if one.get("family") == "inet":
                found.append(IPv4Interface(f"{one['address']}/{one['netmask']}").network)
    return tuple(found)


def _least(amounts: list[float | None]) -> float | None:
    known = [one for one in amounts if one is not None]
    return min(known) if known else None


def _devices(client: IncusClient) -> tuple[Device, ...]:
    try:
        profile = client.query("GET", "/1.0/profiles/default")
    except (NotFoundError, NotSetUpError):
        return ()
    return tuple(
        Device(name, tuple(sorted((str(k), str(v)) for k, v in (config or {}).items())))
        for name, config in sorted((profile["devices"] or {}).items())
    )


def free_in_pool(place: IncusPlace) -> float | None:
    """Ask only for the free space in our pool; None where there is none yet.

    Raises:
        HostError, ProviderError: Incus cannot be asked.
    """
    return _free_gb(HostClient(place), place.pool)


def _free_gb(client: IncusClient, pool: str, member: str | None = None) -> float | None:
    path, at = api_path("storage-pools", pool, "resources"), {"target": member} if member else {}
    try:
        resources = client.query("GET", path, parameters=at)
    except (NotFoundError, NotSetUpError):
        return None
    except ProviderError as error:
        # One that waits for its other members has no folder yet
        if "no such file or directory" not in error.details:
            raise
        return None
    space = resources.get("space") or {}
    total = int(space.get("total") or 0)
    return (total - int(space.get("used") or 0)) / 1024**3 if total else None


def _thing(item: dict[str, Any]) -> Thing:
    config = {str(key): str(value) for key, value in (item.get("config") or {}).items()}
    return Thing(
        name=str(item["name"]),
        config=tuple(sorted(config.items())),
        status=str(item.get("status") or "Created"),
        driver=str(item.get("driver") or item.get("type") or ""),
        used_by=tuple(str(path) for path in item.get("used_by") or ()),
        locations=tuple(str(name) for name in item.get("locations") or ()),
    )


def _named(things: tuple[Thing, ...], name: str) -> Thing | None:
    return next((thing for thing in things if thing.name == name), None)
