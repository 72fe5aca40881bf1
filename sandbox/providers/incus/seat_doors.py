"""The ways from outside a cluster's member to the seats on it: one door for each port. Pure.

A door is a proxy device of the machine: the member's kernel sends what comes to a port of its own
address on to the machine. It is kept by Incus with the machine, and vanishes with it. Incus does
not notice when two doors have one port, so the port follows from the machine's address, which no
other machine of the network has.
"""

import hashlib
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network
from typing import Any, Final

from sandbox.errors import ProviderError

FIRST_PORT: Final = 16_384
_END_PORT: Final = 32_768
"""From here on kernels choose ports for their own connections."""
MOST_DOORS: Final = 8
"""The most ports of one machine."""
_SLOT: Final = 256 * MOST_DOORS
_DOOR: Final = "door-"


def doors(
    address: IPv4Address, subnet: IPv4Network, member_address: str, ports: Sequence[int]
) -> dict[str, dict[str, str]]:
    """Return the devices that open a machine's ports at its member's address.

    Args:
        address: the machine's own, which is fixed.
        subnet: of its network; two networks rarely have the same ports.
        member_address: where the member is reached.
        ports: of the machine.

    Raises:
        ProviderError: more ports, or a larger network, than there is room for.
    """
    if len(ports) > MOST_DOORS:
        raise ProviderError(
            f"a seat on a cluster can have {MOST_DOORS} servers with a port, and not {len(ports)}"
        )
    first = _first_port(address, subnet)
    return {
        f"{_DOOR}{port}": {
            "type": "proxy",
            "nat": "true",
            "listen": f"tcp:{member_address}:{first + at}",
            "connect": f"tcp:{address}:{port}",
        }
        for at, port in enumerate(sorted(ports))
    }


def upstreams_through(instance: Mapping[str, Any]) -> dict[int, str]:
    """Read by port where a machine is reached from outside its member."""
    found: dict[int, str] = {}
    for name, device in (instance.get("devices") or {}).items():
        port = name.removeprefix(_DOOR)
        if name.startswith(_DOOR) and port.isdecimal() and device:
            found[int(port)] = str(device.get("listen") or "").removeprefix("tcp:")
    return found


def listening(instances: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """Return all `address:port` at which these instances have proxies, ours and others'."""
    return frozenset(
        str(device.get("listen") or "").removeprefix("tcp:")
        for instance in instances
        for device in (instance.get("devices") or {}).values()
        if device and device.get("type") == "proxy"
    )


def _first_port(address: IPv4Address, subnet: IPv4Network) -> int:
    place = (int(address) - int(subnet.network_address)) * MOST_DOORS
    slots = (_END_PORT - FIRST_PORT) // _SLOT
    digest = hashlib.sha256(str(subnet).encode()).digest()
    slot = int.from_bytes(digest[:4], "big") % slots if place < _SLOT else 0
    if not 0 <= place < _END_PORT - FIRST_PORT - MOST_DOORS:
        raise ProviderError(
            f"the subnet {subnet} is too large for seats on a cluster",
            hint="a /21 or smaller has a port for each address",
        )
    return FIRST_PORT + slot * _SLOT + place
