"""Listening sockets, from `ss` or, where there is none, from /proc/net."""

import ipaddress
import re
from collections.abc import Iterator, Sequence
from typing import Literal

from sandbox.facts.kind import CannotReadError, Consequence, Reading, kind_of_machine
from sandbox.facts.part import FactsModel, ListPart
from sandbox.facts.shapes import WORDS, Shape, rows
from sandbox.facts.subject import Facts, Subject
from sandbox.probe.frame import Frame
from sandbox.probe.readers import PORTS as PORT_NUMBERS
from sandbox.probe.readers import MalformedError, name, whole, word

_SS_PROCESS = re.compile(r'\("((?:[^"\\]|\\.)*)",pid=(\d{1,10})', re.ASCII)
_TCP_LISTEN = "0A"
_UDP_UNCONNECTED = "07"
_PROC_FILES: dict[str, Literal["tcp", "udp"]] = {
    "proc-net-tcp": "tcp",
    "proc-net-tcp6": "tcp",
    "proc-net-udp": "udp",
    "proc-net-udp6": "udp",
}

# A process names itself as it likes
_ANY_PROCESS = re.compile(r'users:\(\(".*",(pid=)?\d{1,10}[,)].*', re.ASCII)
_PROC_ADDRESS = re.compile(r"([0-9A-F]{8}|[0-9A-F]{32}):[0-9A-F]{4}")
_PROC_STATE = re.compile(r"[0-9A-F]{2}")


class ListeningPort(FactsModel):
    """A socket that waits for others."""

    protocol: Literal["tcp", "udp"]
    address: str
    """`0.0.0.0`, `127.0.0.1`, `::`, `fe80::1%eth0`"""
    port: int
    process: str | None
    """None when not seen (needs root)."""
    pid: int | None

    @property
    def loopback(self) -> bool:
        """Whether only this machine itself can connect."""
        address = self.address.removeprefix("::ffff:")
        return address.startswith("127.") or address == "::1"


class Ports(ListPart[ListeningPort]):
    """Every socket that waits for others."""


def _check_socket(line: str) -> None:
    """A line of `ss`."""
    kind = "a socket"
    fields = line.split(None, 6)
    if len(fields) < 6:  # noqa: PLR2004  (netid, state, two queues, local, peer)
        raise MalformedError(kind)
    word(fields[0], kind, of=("tcp", "udp"))
    name(fields[1], kind, pattern=WORDS)
    address, _, port = fields[4].rpartition(":")
    # `*`: bound to no port yet
    if port != "*":
        whole(port, "a socket's port", within=PORT_NUMBERS)
    host = address.replace("[", "").replace("]", "").partition("%")[0]
    if host != "*":
        _check_address(host)
    process = fields[6].strip() if len(fields) > 6 else ""  # noqa: PLR2004
    if process and not _ANY_PROCESS.fullmatch(process):
        raise MalformedError("a socket's process")


def _check_address(text: str) -> None:
    try:
        ipaddress.ip_address(text)
    except ValueError as error:
        raise MalformedError("a socket's address") from error


def _check_kernels_socket(line: str) -> None:
    """A line of /proc/net, or the heads of its columns."""
    if "local_address" in line:
        return
    fields = line.split()
    if len(fields) < 4:  # noqa: PLR2004  (number, local, remote, state)
        raise MalformedError("a socket")
    name(fields[1], "a socket's address", pattern=_PROC_ADDRESS)
    name(fields[3], "a socket's state", pattern=_PROC_STATE)


def parse_ports(frame: Frame) -> Ports | None:
    """Parse the sockets that wait for others; None when nothing could be read."""
    from_ss = frame.first("ss")
    if from_ss is not None:
        found = set(_from_ss(from_ss.lines))
    elif sections := [name for name in _PROC_FILES if frame.first(name) is not None]:
        found = {
            port for name in sections for port in _from_proc(frame.lines(name), _PROC_FILES[name])
        }
    else:
        return None
    return Ports(tuple(sorted(found, key=lambda port: (port.protocol, port.port, port.address))))


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


def _read(facts: Facts) -> Reading:
    """TCP ports that others can reach."""
    ports = facts.get(Ports)
    if ports is None:
        raise CannotReadError("the sockets could not be read")
    found = (one for one in ports if one.protocol == "tcp" and not one.loopback)
    return {"": frozenset(str(one.port) for one in found)}


_TAKES = "=process: R|Rscript|Xorg|NetworkManager|ModemManager|rsession|rserver|shiny-server\n"
PORTS = Subject(
    name="ports",
    rank=90,
    takes=_TAKES,
    part=Ports,
    sections={
        "ss": Shape(rows(_check_socket)),
        "proc-net-tcp": Shape(rows(_check_kernels_socket)),
        "proc-net-tcp6": Shape(rows(_check_kernels_socket)),
        "proc-net-udp": Shape(rows(_check_kernels_socket)),
        "proc-net-udp6": Shape(rows(_check_kernels_socket)),
    },
    parse=parse_ports,
    kinds=(
        kind_of_machine(
            "access.ports",
            Consequence.ACCESS,
            30,
            title="ports that others can reach",
            how="set",
            why="what listens can be attacked, and what does not listen is missed",
            bug="GoogleCloudDataproc/initialization-actions/issues/441",
            read=_read,
        ),
    ),
)
