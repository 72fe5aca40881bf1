"""The members of an Incus cluster: which live, and what is on which.

Incus notices a dead member after 20 seconds, and until then, and for some calls also later, a call
on one of its machines takes 10 to 20 seconds to fail. So a member is asked directly before and
after each call that is about it: that takes a millisecond, and fails at once.
"""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

from sandbox.errors import ProviderError, SandboxError
from sandbox.giving_up import given_up_when
from sandbox.providers.incus.answer import environment_of
from sandbox.providers.incus.client import IncusClient
from sandbox.providers.incus.remotes import host_and_port, takes_connections
from sandbox.providers.incus.server import ServerMember, cluster_members
from sandbox.providers.seats import MemberLostError

ASKED_S: Final = 4.0
"""Seconds that a member gets to answer through the cluster, when this host cannot ask it itself."""
_ALIVE_S: Final = 0.1
_DEAD_S: Final = 2.0
"""Seconds for which a look at a member holds: a dead one may take seconds to look at."""


@dataclass(frozen=True)
class _LifeSign:
    at: float
    alive: bool


class IncusCluster:
    """The members of the cluster that a client asks. May be used from threads."""

    def __init__(self, client: IncusClient) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._members: dict[str, ServerMember] = {}
        self._is_one: bool | None = None
        self._looks: dict[str, _LifeSign] = {}
        self._direct: set[str] = set()
        """Members that this host has reached itself."""

    @property
    def is_one(self) -> bool:
        """Whether the server is a member of a cluster.

        Raises:
            HostError, ProviderError: Incus cannot be asked.
        """
        if self._is_one is None:
            environment = environment_of(self._client.query("GET", "/1.0"))
            self._is_one = bool(environment.get("server_clustered"))
        return self._is_one

    def members(self) -> tuple[ServerMember, ...]:
        """List the members as they are, whatever Incus still thinks.

        One that has just died is online for Incus for another 20 seconds. And when the cluster has
        a new leader, that one has heard of nobody yet, and calls all members offline.

        Raises:
            HostError, ProviderError: Incus cannot be asked.
        """
        found = cluster_members(self._client)
        with self._lock:
            self._members = {one.name: one for one in found}
        return tuple(replace(one, online=self._is_well(one)) for one in found)

    def _is_well(self, member: ServerMember) -> bool:
        if member.online or not member.is_doubted:
            return member.online and self.lives(member.name)
        return self.lives(member.name) and self._has_database(member)

    def _has_database(self, member: ServerMember) -> bool:
        """Whether a member itself is with the others: it can read what they share."""
        if not self._client.has_way_to(member.url):
            return False
        try:
            with self._client.straight_to(member.url):
                cluster_members(self._client, patience_s=0)
        except SandboxError:
            return False
        return True

    def url(self, member: str) -> str:
        """Return where a member answers, as the cluster knows it.

        Raises:
            MemberLostError: the cluster has no such member.
            HostError, ProviderError: Incus cannot be asked.
        """
        return self._known(member).url

    def address(self, member: str) -> str:
        """Return the address at which the other members reach a member.

        Raises:
            MemberLostError: the cluster has no such member.
            HostError, ProviderError: Incus cannot be asked.
        """
        return host_and_port(self.url(member))[0]

    def lives(self, member: str) -> bool:
        """Ask the member itself whether it lives, unless it was asked just now.

        Raises:
            MemberLostError: the cluster has no such member.
            HostError, ProviderError: Incus cannot be asked.
        """
        look = self._looks.get(member)
        if look is not None:
            holds_s = _ALIVE_S if look.alive else _DEAD_S
            if time.monotonic() - look.at < holds_s:
                return look.alive
        alive = self._ask(self._known(member))
        self._looks[member] = _LifeSign(time.monotonic(), alive)
        return alive

    def require(self, member: str) -> None:
        """Return when the member lives.

        Raises:
            MemberLostError: it does not.
            HostError, ProviderError: Incus cannot be asked.
        """
        if not self.lives(member):
            raise lost(member)

    @contextmanager
    def reaching(self, member: str) -> Iterator[None]:
        """Turn a failure inside into the true one when the member is dead.

        What waits for an answer of a member that was cut off is given up after a few seconds.

        Raises:
            MemberLostError: it is dead before, or it died meanwhile.
        """
        self.require(member)
        url = self.url(member)
        # Behind a firewall there is no quick sign of life
        is_away = (lambda: not takes_connections(url)) if member in self._direct else _never
        try:
            with given_up_when(is_away):
                yield
        except MemberLostError as error:
            self._looks.pop(member, None)
            raise lost(member, error) from error
        except ProviderError as error:
            self._looks.pop(member, None)
            if not self.lives(member):
                raise lost(member, error) from error
            raise

    @contextmanager
    def asking(self, member: str) -> Iterator[None]:
        """Like `reaching`; inside, the member itself is asked where the user has a remote for it.

        Raises:
            MemberLostError: it is dead before, or it died meanwhile.
        """
        with self.reaching(member), self._client.straight_to(self.url(member)):
            yield

    def _known(self, member: str) -> ServerMember:
        with self._lock:
            known = self._members
        if member not in known:
            known = {one.name: one for one in cluster_members(self._client)}
            with self._lock:
                self._members = known
        if member not in known:
            raise MemberLostError(
                f"the cluster has no member {member}", details=", ".join(sorted(known))
            )
        return known[member]

    def _ask(self, member: ServerMember) -> bool:
        if takes_connections(member.url):
            self._direct.add(member.name)
            return True
        if member.name in self._direct:
            return False
        # A firewall may be between this host and the member
        try:
            at = {"target": member.name}
            self._client.query("GET", "/1.0", parameters=at, timeout_s=ASKED_S)
        except SandboxError:
            return False
        return True


def _never() -> bool:
    return False


def lost(member: str, error: SandboxError | None = None) -> MemberLostError:
    """Return the error for a member that does not answer, with Incus's own words."""
    return MemberLostError(
        f"the member {member} of the cluster does not answer",
        details=(error.details or error.message) if error is not None else "",
        hint="is it on, and on the network? its seats can be brought on the other members; see: "
        "incus cluster list",
    )


def location_of(instance: Mapping[str, Any]) -> str:
    """Return the member that carries an instance; empty where there is no cluster."""
    said = str(instance.get("location") or "")
    return "" if said == "none" else said
