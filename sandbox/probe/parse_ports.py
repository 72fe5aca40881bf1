"""Listening sockets, from `ss` or, where there is none, from /proc/net."""

import ipaddress
import re
from collections.abc import Iterator, Sequence
from typing import Literal

from sandbox.probe.facts import ListeningPort
from sandbox.probe.frame import Frame

_SS_PROCESS = re.compile(r'\("((?:[^"\\]|\\.)*)",pid=(\d{1,10})', re.ASCII)
_TCP_LISTEN = "0A"
_UDP_UNCONNECTED = "07"
_PROC_FILES: dict[str, Literal["tcp", "udp"]] = {
    "proc-net-tcp": "tcp",
    "proc-net-tcp6": "tcp",
    "proc-net-udp": "udp",
    "proc-net-udp6": "udp",
}


def parse_ports(frame: Frame) -> tuple[ListeningPort, ...] | None:
    """The sockets that wait for others; None when nothing could be read."""
    from_ss = frame.first("ss")
    if from_ss is not None:
        found = set(_from_ss(from_ss.lines))
    elif sections := [name for name in _PROC_FILES if frame.first(name) is not None]:
        found = {
            port for name in sections for port in _from_proc(frame.lines(name), _PROC_FILES[name])
        }
    else:
        return None
    return tuple(sorted(found, key=lambda port: (port.protocol, port.port, port.address)))


def _from_ss(lines: Sequence[str]) -> Iterator[ListeningPort]:
    for line in lines:
        fields = line.split(None, 6)
        if len(fields) < 6:  # noqa: PLR2004  (netid, state, two queues, local, peer)
            continue
        protocol, local = fields[0], fields[4]
        address, _, port = local.rpartition(":")
        if protocol not in ("tcp", "udp") or not port.isdecimal():
            continue
        process = _SS_PROCESS.search(fields[6]) if len(fields) > 6 else None  # noqa: PLR2004
        yield ListeningPort(
            protocol="tcp" if protocol == "tcp" else "udp",
            address=_plain(address),
            port=int(port),
            process=process[1] if process else None,
            pid=int(process[2]) if process else None,
        )


def _plain(address: str) -> str:
    """`[::]%eth0` and `*` in the form that everything else uses."""
    if address == "*":
        # ss says so for a socket that takes IPv4 and IPv6
        return "::"
    return address.replace("[", "").replace("]", "")


def _from_proc(lines: Sequence[str], protocol: Literal["tcp", "udp"]) -> Iterator[ListeningPort]:
    wanted = _TCP_LISTEN if protocol == "tcp" else _UDP_UNCONNECTED
    for line in lines:
        fields = line.split()
        if len(fields) < 4 or fields[3] != wanted or ":" not in fields[1]:  # noqa: PLR2004
            continue
        address, _, port = fields[1].partition(":")
        yield ListeningPort(
            protocol=protocol,
            address=_from_hex(address),
            port=int(port, 16),
            process=None,
            pid=None,
        )


def _from_hex(text: str) -> str:
    """The kernel prints 32-bit words in the machine's own order: little-endian where R runs."""
    raw = bytes.fromhex(text)
    words = [raw[at : at + 4][::-1] for at in range(0, len(raw), 4)]
    return str(ipaddress.ip_address(b"".join(words)))
