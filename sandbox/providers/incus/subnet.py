"""Choose an IPv4 subnet for our bridge that nothing on this host uses. Pure."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any

from sandbox.errors import HostError

_PREFIX_LENGTH = 24
_SIZE = 1 << (32 - _PREFIX_LENGTH)


def networks_in_use(routes_json: str, addresses_json: str) -> tuple[IPv4Network, ...]:
    """List every network in `ip -json route show table all` and `ip -json address`.

    The default route is left out: it covers everything and takes nothing.
    """
    found: set[IPv4Network] = set()
    for route in _items(routes_json):
        destination = str(route.get("dst", ""))
        network = _network(destination)
        # /0 and /1 are default routes (a VPN splits it in two halves)
        if network is not None and network.prefixlen > 1:
            found.add(network)
    for link in _items(addresses_json):
        for address in link.get("addr_info", []):
            if address.get("family") == "inet":
                network = _network(f"{address['local']}/{address.get('prefixlen', 32)}")
                if network is not None:
                    found.add(network)
    return tuple(sorted(found))


def choose_subnet(prefix: str, used: Iterable[IPv4Network]) -> IPv4Network:
    """Choose the first /24 that overlaps nothing in `used`.

    Where the search starts depends on `prefix`, so that two hosts (or two prefixes set up at the
    same moment) rarely take the same one.

    Raises:
        HostError: every candidate is taken.
    """
    taken = [(int(network[0]), int(network[-1])) for network in used]
    for first in _candidates(prefix):
        last = first + _SIZE - 1
        if all(last < start or end < first for start, end in taken):
            return IPv4Network((first, _PREFIX_LENGTH))
    raise HostError(
        "no free IPv4 subnet is left for our bridge",
        details="tried 10.64.0.0/10, 172.16.0.0/12 and 192.168.0.0/16",
        hint="name one yourself: sandbox host setup --subnet 10.9.8.0/24",
    )


def gateway(subnet: IPv4Network) -> str:
    """Return the bridge's own address in `subnet`, as Incus wants it: `10.1.2.1/24`."""
    return f"{IPv4Address(int(subnet.network_address) + 1)}/{subnet.prefixlen}"


def clashes(
    own: IPv4Network, bridge: str, routes_json: str, addresses_json: str
) -> tuple[IPv4Network, ...]:
    """List networks on this host, other than `bridge` itself, that overlap the bridge's subnet."""
    routes = [item for item in _items(routes_json) if item.get("dev") != bridge]
    links = [item for item in _items(addresses_json) if item.get("ifname") != bridge]
    others = networks_in_use(json.dumps(routes), json.dumps(links))
    return tuple(network for network in others if network.overlaps(own))


def _candidates(prefix: str) -> Iterator[int]:
    """The first addresses of all possible subnets."""
    seed = int.from_bytes(hashlib.sha256(prefix.encode()).digest()[:4], "big")
    for block in ("10.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16"):
        whole = IPv4Network(block)
        count = 1 << (_PREFIX_LENGTH - whole.prefixlen)
        base = int(whole.network_address)
        for index in range(count):
            yield base + ((seed + index) % count) * _SIZE


def _items(text: str) -> list[dict[str, Any]]:
    items = json.loads(text or "[]")
    return [item for item in items if isinstance(item, dict)]


def _network(text: str) -> IPv4Network | None:
    try:
        return IPv4Interface(text).network
    except ValueError:
        # `default`, an IPv6 destination, `local` and the like
        return None
