"""The requests to Incus that make the machines of seats and their network. Pure."""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any, Final

from sandbox.providers.incus.baking import COMPLETE, COPY_OF, KEY, MADE_FROM, architecture_of
from sandbox.providers.incus.instance_request import root_disk
from sandbox.providers.incus.instances import (
    AUTHORIZED_KEY,
    LABEL,
    MADE_BY,
    REPLICA,
    SEAT,
    config_of,
)
from sandbox.providers.incus.place import IncusPlace
from sandbox.providers.incus.server import MARK
from sandbox.providers.replicas import ReplicaWish, replica_in
from sandbox.providers.seats import SeatLabel, SeatWish, label_in

WORKSHOP: Final = "user.sandbox-seat.workshop"
"""On a seat's machine, its network and its rules: the workshop that they belong to."""
_NUMBER: Final = "user.sandbox-seat.seat"
_GENERATION: Final = "user.sandbox-seat.generation"
_PORTS: Final = "user.sandbox-seat.ports"
_CARD: Final = "eth0"
_ADDRESS: Final = "ipv4.address"

CPUS: Final = "limits.cpu"
_MORE_CPUS: Final = 1
"""So many more it gets until it is up: systemd and its servers start side by side."""
_NO_MACHINE: Final = 2
"""The first addresses of a subnet: its own and the bridge's."""


def network_name(place: IncusPlace, workshop: str) -> str:
    """Return the name of a workshop's network, and of its rules; a link's has 15 bytes at most."""
    return f"{place.project}w{hashlib.sha256(workshop.encode()).hexdigest()[:4]}"


def network_body(name: str, workshop: str, place: IncusPlace, address: str) -> dict[str, Any]:
    """Write the request for the network of a workshop: a bridge that knows no names.

    Its rules are part of it: it does not stand open for a moment.

    Args:
        name: the network's, and that of its rules.
        workshop: the workshop that it belongs to.
        place: ours.
        address: of the bridge, with the length of its prefix.
    """
    return {
        "name": name,
        "type": "bridge",
        "description": f"seats of the workshop {workshop}",
        "config": {
            MARK: place.project,
            WORKSHOP: workshop,
            _ADDRESS: address,
            "ipv4.nat": "true",
            "ipv6.address": "none",
            **closed(name),
        },
    }


def closed(rules: str) -> dict[str, str]:
    """Return the settings that close a network, but for what its rules allow."""
    return {
        "security.acls": rules,
        "security.acls.default.egress.action": "drop",
        "security.acls.default.ingress.action": "drop",
        # Else the network's DNS tells each learner the names of all others
        "dns.mode": "none",
        "raw.dnsmasq": "dhcp-ignore-names",
    }


def rules_body(
    workshop: str,
    place: IncusPlace,
    *,
    sources: Sequence[str],
    may_reach: Sequence[tuple[str, int]],
) -> dict[str, Any]:
    """Write the rules of a workshop's network.

    DHCP and DNS of the network are always allowed; Incus sees to that itself.

    Args:
        workshop: the workshop that they belong to.
        place: ours.
        sources: the addresses from which the proxy reaches the seats.
        may_reach: addresses and ports that seats reach.
    """
    return {
        "description": f"what the seats of the workshop {workshop} reach",
        "config": {MARK: place.project, WORKSHOP: workshop},
        "egress": [
            _allow(destination=f"{address}/32", port=str(port))
            for address, port in sorted(set(may_reach))
        ],
        "ingress": [_allow(source=f"{source}/32") for source in sources],
    }


def _allow(*, source: str = "", destination: str = "", port: str = "") -> dict[str, str]:
    rule = {"action": "allow", "state": "enabled", "protocol": "tcp"}
    wanted = {"source": source, "destination": destination, "destination_port": port}
    return {**rule, **{key: value for key, value in wanted.items() if value}}


def seat_body(wish: SeatWish, image: dict[str, Any], place: IncusPlace) -> dict[str, Any]:
    """Write the request that clones the image, with limits and labels, and no network card yet."""
    label = wish.label
    return {
        "name": wish.name,
        "type": "container",
        **architecture_of(image),
        "source": {
            "type": "copy",
            "source": wish.replica or str(image["name"]),
            "instance_only": True,
        },
        "profiles": [],
        "config": {
            # Labels of the machine that was baked
            **{key: "" for key in config_of(image) if key.startswith(LABEL)},
            MADE_BY: SEAT,
            MADE_FROM: str(image["name"]),
            KEY: "",
            COMPLETE: "",
            COPY_OF: "",
            AUTHORIZED_KEY: wish.authorized_key,
            WORKSHOP: label.workshop,
            _NUMBER: str(label.seat),
            _GENERATION: str(label.generation),
            _PORTS: " ".join(str(port) for port in wish.ports),
            CPUS: str(wish.cpus + _MORE_CPUS),
            "limits.memory": f"{wish.memory_mb}MiB",
            "limits.memory.swap": "false",
            "limits.processes": str(wish.processes),
            # What Incus knows of the machine, the labels too, is not for the learner
            "security.guestapi": "false",
            "boot.autostart": "false",
        },
        "devices": _no_card(wish.disk_gb, place),
    }


def _no_card(disk_gb: int, place: IncusPlace) -> dict[str, dict[str, str]]:
    return {"root": root_disk(place, disk_gb), _CARD: {"type": "none"}}


def replica_body(wish: ReplicaWish, origin: dict[str, Any], place: IncusPlace) -> dict[str, Any]:
    """Write the request that clones an image, or a replica, as a replica; it is never started."""
    label = wish.label
    return {
        "name": wish.name,
        "type": "container",
        **architecture_of(origin),
        "source": {"type": "copy", "source": str(origin["name"]), "instance_only": True},
        "profiles": [],
        "config": {
            **{key: "" for key in config_of(origin) if key.startswith(LABEL)},
            MADE_BY: REPLICA,
            MADE_FROM: "",
            KEY: "",
            COMPLETE: "",
            COPY_OF: "",
            AUTHORIZED_KEY: "",
            WORKSHOP: label.workshop,
            _NUMBER: str(label.seat),
            _GENERATION: str(label.generation),
            "security.guestapi": "false",
            "boot.autostart": "false",
        },
        "devices": _no_card(wish.disk_gb, place),
    }


def refresh_body(wish: ReplicaWish, origin: dict[str, Any], place: IncusPlace) -> dict[str, Any]:
    """Write the request that brings the files of that clone to those of the machine."""
    return {
        "name": wish.name,
        "type": "container",
        **architecture_of(origin),
        "source": {
            "type": "copy",
            "source": wish.machine,
            "instance_only": True,
            "refresh": True,
        },
        "profiles": [],
        "devices": _no_card(wish.disk_gb, place),
    }


def is_replica(instance: dict[str, Any]) -> bool:
    """Tell whether the instance is the replica of a seat."""
    return bool(config_of(instance).get(MADE_BY) == REPLICA)


def replica_label_of(instance: dict[str, Any]) -> tuple[str, int] | None:
    """Read the workshop and the seat of a replica; None when it is none, or not of ours."""
    config = config_of(instance)
    if not config and instance.get("status") == "Error":
        return replica_in(str(instance["name"]))
    number = str(config.get(_NUMBER) or "")
    if not is_replica(instance) or not number.isdecimal():
        return None
    return str(config.get(WORKSHOP) or ""), int(number)


def card_change(
    network: str,
    address: IPv4Address,
    doors: Mapping[str, dict[str, str]],
    *,
    stop_ipv6: bool,
) -> dict[str, Any]:
    """Write the change that gives a machine its card: with one address, and no other can be taken.

    Args:
        network: the workshop's.
        address: the machine's own.
        doors: devices through which other hosts reach it.
        stop_ipv6: let Incus stop all IPv6 at the card. With iptables it cannot, where the network
            has no IPv6; the network's rules and the isolation of the cards hold for IPv6, too.
    """
    card = {
        "type": "nic",
        "name": _CARD,
        "network": network,
        _ADDRESS: str(address),
        "security.port_isolation": "true",
        "security.mac_filtering": "true",
        "security.ipv4_filtering": "true",
        "security.ipv6_filtering": "true" if stop_ipv6 else "false",
    }
    return {"devices": {_CARD: card, **doors}}


def is_seat(instance: dict[str, Any]) -> bool:
    """Tell whether the instance is the machine of a seat."""
    return bool(config_of(instance).get(MADE_BY) == SEAT)


def label_of(instance: dict[str, Any]) -> SeatLabel | None:
    """Read the labels of a seat's machine; None when it is none, or not of ours."""
    config = config_of(instance)
    if not config and instance.get("status") == "Error":
        # Of what is on a member that is away, a cluster says the name and the member
        return label_in(str(instance["name"]))
    number, generation = (str(config.get(key) or "") for key in (_NUMBER, _GENERATION))
    if not is_seat(instance) or not number.isdecimal() or not generation.isdecimal():
        return None
    return SeatLabel(str(config.get(WORKSHOP) or ""), int(number), int(generation))


def ports_of(instance: dict[str, Any]) -> tuple[int, ...]:
    """Read the ports of a seat's machine that the proxy reaches."""
    words = str(config_of(instance).get(_PORTS) or "").split()
    return tuple(int(word) for word in words if word.isdecimal())


def address_of(instance: dict[str, Any]) -> str | None:
    """Read the address that was given to a seat's machine; None before that."""
    return ((instance.get("devices") or {}).get(_CARD) or {}).get(_ADDRESS)


def addresses_on(network: str, instances: Sequence[dict[str, Any]]) -> frozenset[str]:
    """Return all addresses that are given to cards on a network."""
    return frozenset(
        card[_ADDRESS]
        for instance in instances
        for card in (instance.get("devices") or {}).values()
        if card and card.get("network") == network and card.get(_ADDRESS)
    )


def free_addresses(
    gateway: IPv4Interface, taken: Collection[str], name: str
) -> Iterator[IPv4Address]:
    """Go through the addresses that nobody has, from a place that depends on the machine's name.

    Two machines rarely begin at the same place, and one that takes another's place rarely gets the
    address at which the other was seen a moment ago.
    """
    subnet: IPv4Network = gateway.network
    first = int(subnet.network_address) + _NO_MACHINE
    count = subnet.num_addresses - _NO_MACHINE - 1
    start = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
    for step in range(count):
        address = IPv4Address(first + (start + step) % count)
        if address != gateway.ip and str(address) not in taken:
            yield address
