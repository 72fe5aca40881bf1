"""The network of a workshop's seats: a bridge of its own, closed but for what its rules allow.

Incus keeps the rules, so this works the same on a remote server, with nftables and with iptables.
The rules act between the network and everything else; from seat to seat nothing passes, because
each card is isolated (seat_request.py). Rules on the cards themselves would be one place for both,
but Incus 6.0 looks for them in the project of the machine, and bridges are in the default project.
"""

import socket
from collections.abc import Sequence
from ipaddress import IPv4Interface, IPv4Network
from itertools import islice
from typing import Any, Final

from sandbox.errors import HostError, ProviderError
from sandbox.events import Listener, Notice, StepOutput
from sandbox.host.facts import find_command
from sandbox.locks import hold, lock_path
from sandbox.providers.incus.answer import environment_of
from sandbox.providers.incus.client import (
    IncusClient,
    NotFoundError,
    NotSetUpError,
    api_path,
)
from sandbox.providers.incus.host_facts import networks_seen
from sandbox.providers.incus.seat_guard import close_dns, has_guard, open_dns, table_name
from sandbox.providers.incus.seat_request import (
    WORKSHOP,
    addresses_on,
    card_change,
    closed,
    free_addresses,
    network_body,
    network_name,
    rules_body,
)
from sandbox.providers.incus.seat_servers import SeatServers
from sandbox.providers.incus.server import MARK
from sandbox.providers.incus.subnet import choose_subnet, gateway

_MAKE_S: Final = 120.0
_TRIES: Final = 20
"""How many addresses are tried when somebody else takes them at this moment."""


class SeatNetwork:
    """The networks of workshops in one Incus."""

    def __init__(self, client: IncusClient, servers: SeatServers) -> None:
        self._client = client
        self._servers = servers
        self._place = client.place

    def prepare(self, workshop: str, may_reach: Sequence[str], listener: Listener) -> None:
        """Make the network and its rules, or bring them to what is wanted.

        Raises:
            HostError: a name in `may_reach` has no address, or there is no room for a network.
            ProviderError: Incus refused, or somebody else has the name.
        """
        reach = [one for word in may_reach for one in addresses_behind(word)]
        name = network_name(self._place, workshop)
        with hold(lock_path(self._lock("networks"))):
            network = self._find("networks", name, workshop)
            # One that Incus could not bring to its end has no link, and nobody on it
            if network is not None and network.get("status") not in (None, "Created"):
                self._client.query("DELETE", api_path("networks", name))
                network = None
            at = _address(network) if network is not None else self._new_subnet(name)
            sources = (str(at.ip), *self._servers.sources())
            rules = rules_body(workshop, self._place, sources=sources, may_reach=reach)
            listener(StepOutput(workshop, "making the rules of the network"))
            there = self._find("network-acls", name, workshop)
            if there is None:
                self._client.query("POST", api_path("network-acls"), {"name": name, **rules})
            elif any(there.get(key) != rules[key] for key in ("egress", "ingress")):
                # Rules in use cannot be changed while a member is away: only where it must be
                self._client.query("PUT", api_path("network-acls", name), rules)
            if network is None:
                self._make(network_body(name, workshop, self._place, str(at)))
            elif not _is_closed(network, name):
                change = {"config": closed(name)}
                path = api_path("networks", name)
                self._client.query("PATCH", path, change, timeout_s=_MAKE_S)
            if not self._place.is_local or not close_dns(name, str(at.ip)):
                listener(
                    Notice(
                        workshop,
                        "seats can ask the DNS of the server's other networks for names of your"
                        " sandboxes: only root of the server can close that",
                    )
                )

    def _make(self, body: dict[str, Any]) -> None:
        """Make a network; in a cluster on each member first, which all must be there."""
        for member in self._servers.targets():
            part = {"name": body["name"], "type": body["type"]}
            at = {"target": member}
            self._client.query("POST", api_path("networks"), part, parameters=at)
        self._client.query("POST", api_path("networks"), body, timeout_s=_MAKE_S)

    def give_address(self, machine: str, workshop: str) -> None:
        """Give a machine that does not run its network card, with an address nobody else has.

        Raises:
            ProviderError: the network is not there, or has no free address.
        """
        name = network_name(self._place, workshop)
        at = self._gateway(workshop)
        path = api_path("instances", machine)
        with hold(lock_path(self._lock(name))):
            deep = {"recursion": "1"}
            instances = self._client.query("GET", api_path("instances"), parameters=deep)
            # With a member away nobody knows all leases; addresses that are fixed need none
            leases = () if self._servers.cluster.is_one else self._leases(name)
            own: dict[str, Any] = next((one for one in instances if one["name"] == machine), {})
            fixed = addresses_on(name, instances)
            # An address that a removed machine has leased is not given out again by DHCP
            leased = {str(one["address"]) for one in leases}
            free = [*free_addresses(at, fixed | leased, machine)]
            free += free_addresses(at, fixed | set(map(str, free)), machine)
            stop_ipv6 = self._has_nftables()
            for address in islice(free, _TRIES):
                doors = self._servers.doors_of(own, address, at.network)
                change = card_change(name, address, doors, stop_ipv6=stop_ipv6)
                try:
                    self._client.query("PATCH", path, change)
                except ProviderError as error:
                    # Incus looks again itself: another host may have been quicker
                    if "already defined" not in error.details:
                        raise
                else:
                    return
        raise ProviderError(
            f"the network {name} has no free address for {machine}",
            details=f"{len(fixed)} of {at.network} are taken",
            hint="remove what is not needed: sandbox workshop status",
        )

    def _leases(self, name: str) -> list[dict[str, Any]]:
        return list(self._client.query("GET", api_path("networks", name, "leases")))

    def clear(self, workshop: str) -> None:
        """Remove the network and its rules; they may be gone already.

        Raises:
            ProviderError: machines are still on it, or Incus cannot remove it.
        """
        name = network_name(self._place, workshop)
        if self._place.is_local:
            open_dns(name)
        for kind in ("networks", "network-acls"):
            if self._find(kind, name, workshop) is not None:
                try:
                    self._client.query("DELETE", api_path(kind, name), timeout_s=_MAKE_S)
                except NotFoundError:
                    continue
        # No machine asks for an address on it any more
        lock_path(self._lock(name)).unlink(missing_ok=True)

    def left(self, workshop: str) -> tuple[str, ...]:
        """Name what is still there."""
        name = network_name(self._place, workshop)
        kinds = (("networks", "network"), ("network-acls", "network acl"))
        found = [
            f"{word} {name}" for kind, word in kinds if self._find(kind, name, workshop) is not None
        ]
        if self._place.is_local and has_guard(name):
            found.append(f"nftables table {table_name(name)}")
        return tuple(found)

    def _gateway(self, workshop: str) -> IPv4Interface:
        name = network_name(self._place, workshop)
        network = self._find("networks", name, workshop)
        if network is None or not _is_closed(network, name):
            raise ProviderError(
                f"the network of the workshop {workshop} is not there, or not closed",
                hint=f"sandbox workshop up {workshop}.workshop.yml",
            )
        return _address(network)

    def _has_nftables(self) -> bool:
        return environment_of(self._client.query("GET", "/1.0")).get("firewall") == "nftables"

    def _find(self, kind: str, name: str, workshop: str) -> dict[str, Any] | None:
        """The thing of that name, if it is this workshop's; an error when it is another's."""
        try:
            found = dict(self._client.query("GET", api_path(kind, name)))
        except (NotFoundError, NotSetUpError):
            return None
        config = found.get("config") or {}
        if found.get("status") == "Pending":
            # Cut off between its members: it has no labels yet, and nobody can be on it
            return found
        if (config.get(MARK), config.get(WORKSHOP)) != (self._place.project, workshop):
            raise ProviderError(
                f"Incus has a {kind.removesuffix('s')} {name} that is not of the workshop"
                f" {workshop}",
                hint="give the workshop another name",
            )
        return found

    def _new_subnet(self, name: str) -> IPv4Interface:
        return IPv4Interface(gateway(choose_subnet(name, self._used())))

    def _used(self) -> tuple[IPv4Network, ...]:
        """The subnets in use at the server: Incus's own, those of its links, and routes here."""
        used = list(networks_seen()) if self._place.is_local and find_command("ip") else []
        deep = {"recursion": "1"}
        for network in self._client.query("GET", api_path("networks"), parameters=deep):
            config = network.get("config") or {}
            if "/" in (config.get("ipv4.address") or ""):
                used.append(IPv4Interface(str(config["ipv4.address"])).network)
            elif not network.get("managed") and not self._place.is_local:
                used += self._subnets_of(str(network["name"]))
        return tuple(used)

    def _subnets_of(self, link: str) -> list[IPv4Network]:
        state = self._client.query("GET", api_path("networks", link, "state")) or {}
        return [
            IPv4Interface(f"{one['address']}/{one['netmask']}").network
            for one in state.get("addresses") or ()
            if one.get("family") == "inet"
        ]

    def _lock(self, what: str) -> str:
        return f"incus.{self._place.remote}.{self._place.project}.{what}"


def addresses_behind(word: str) -> tuple[tuple[str, int], ...]:
    """Find the addresses of `host:port` now: later changes of the name's addresses do not count.

    Raises:
        HostError: the name has no IPv4 address.
    """
    host, _, port = word.rpartition(":")
    found: list[Any] = []
    why = ""
    try:
        found = socket.getaddrinfo(host, int(port), socket.AF_INET, socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        why = str(error)
    if not found:
        raise HostError(
            f"seats cannot reach {word}: it has no IPv4 address",
            details=why,
            hint="is the name right in `may_reach` of the workshop file, and is this host online?",
        )
    return tuple(sorted({(str(one[4][0]), int(port)) for one in found}))


def _address(network: dict[str, Any]) -> IPv4Interface:
    said = str((network.get("config") or {}).get("ipv4.address"))
    try:
        return IPv4Interface(said)
    except ValueError as error:
        raise ProviderError(
            f"the network {network.get('name')} has no IPv4 subnet", details=said
        ) from error


def _is_closed(network: dict[str, Any], rules: str) -> bool:
    return closed(rules).items() <= (network.get("config") or {}).items()
