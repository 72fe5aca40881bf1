"""Goal safe, continued: which sockets may listen, where, and of which program."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from sandbox.checks import fixes
from sandbox.checks.check import CannotLook, Check, Look, none_of
from sandbox.checks.live import Seen
from sandbox.checks.results import Goal
from sandbox.facts.subjects.ports import ListeningPort, Ports
from sandbox.placement import Placement
from sandbox.plan import Plan

_SYSTEM_LISTENERS = {
    # name of the process: (protocol, port) that it is known to open to the network
    "dhclient": {("udp", 68), ("udp", 546)},
    "dhcpcd": {("udp", 68), ("udp", 546)},
    "systemd-network": {("udp", 68), ("udp", 546)},
    "systemd-resolve": {("udp", 5355), ("tcp", 5355), ("udp", 5353)},
}
_SYSTEM_LOOPBACK = ("systemd-resolve", "chronyd", "systemd-timesyn", "sshd", "ssh")


@dataclass(frozen=True)
class _PlannedPort:
    """A port that the box wants open, and the program that opens it."""

    name: str
    port: int
    processes: frozenset[str]
    is_local: bool = False
    """Whether nobody outside the machine may reach it."""


def seen_checks(placement: Placement) -> Iterator[Check[Seen]]:
    """Yield the checks of sockets that listen, answered by the facts."""
    yield Check(
        "safe.ports",
        Goal.SAFE,
        "nothing unplanned listens to the network",
        ", ".join(f"{one.name} on {one.port}" for one in _planned_ports(placement.plan))
        + " and the system's own name and address services",
        "a forgotten port is a door that nobody watches",
        lambda seen: none_of(_strange_ports(placement.plan, seen), nothing="only what is planned"),
        # Whatever it is: what was not there when it was provisioned
        fixes.reset_command(placement),
    )
    yield Check(
        "safe.ports.loopback",
        Goal.SAFE,
        "nothing unplanned listens on the loopback address",
        "only R processes of Shiny Server, sshd, and the system's own services",
        "every user of the machine, every app included, can talk to what listens there",
        lambda seen: none_of(
            _strange_loopback(placement.plan, seen), nothing="only what is planned"
        ),
        fixes.reset_command(placement),
    )
    for one in _planned_ports(placement.plan):
        yield Check(
            f"safe.port.{one.port}",
            Goal.SAFE,
            f"port {one.port} is {one.name}'s",
            f"{one.name} listens on {one.port}/tcp",
            "another program on a service's port takes the users' requests, passwords included",
            _owner_of(placement, one),
            fixes.up_command(placement),
        )


def _planned_ports(plan: Plan) -> tuple[_PlannedPort, ...]:
    endpoints = plan.endpoints
    return (
        _PlannedPort("sshd", 22, frozenset({"sshd", "systemd"})),
        *(
            _PlannedPort(server.unit, port, server.processes, is_local=is_local)
            for server in plan.servers
            for port, is_local in dict.fromkeys(
                (one.port, one.is_local) for one in endpoints if one.service == server.name
            )
        ),
    )


def _all_ports(seen: Seen) -> Ports:
    found = seen.facts.get(Ports)
    if found is None:
        raise CannotLook("the probe saw no listening ports (is iproute2 installed?)")
    return found


def _strange_ports(plan: Plan, seen: Seen) -> Iterator[str]:
    planned = {one.port for one in _planned_ports(plan)}
    for one in _all_ports(seen):
        known = _SYSTEM_LISTENERS.get(one.process or "", set())
        if one.loopback or (one.protocol, one.port) in known:
            continue
        if one.protocol != "tcp" or one.port not in planned:
            yield _named(one)


def _strange_loopback(plan: Plan, seen: Seen) -> Iterator[str]:
    workers = frozenset[str]().union(*(server.workers for server in plan.servers))
    planned = {one.port for one in _planned_ports(plan)}
    for server in plan.servers:
        planned.update(server.loopback_ports(plan.services))
    for one in _all_ports(seen):
        worker = one.process in workers and one.protocol == "tcp"
        if not one.loopback or worker or one.process in _SYSTEM_LOOPBACK:
            continue
        if one.protocol != "tcp" or one.port not in planned:
            yield _named(one)


def _named(one: ListeningPort) -> str:
    return (
        f"{one.process or 'a process that was not seen'} on {one.address} {one.port}/{one.protocol}"
    )


def _owner_of(placement: Placement, planned: _PlannedPort) -> Callable[[Seen], Look]:
    port, names = planned.port, planned.processes

    def look(seen: Seen) -> Look:
        there = [one for one in _all_ports(seen) if (one.protocol, one.port) == ("tcp", port)]
        if not there:
            return Look(ok=False, actual=f"nothing listens on {port}/tcp")
        strangers = [one for one in there if one.process is not None and one.process not in names]
        if strangers:
            return replace(none_of(map(_named, strangers)), fix=fixes.reset_command(placement))
        open_ones = [one for one in there if planned.is_local and not one.loopback]
        found = ", ".join(dict.fromkeys(_named(one) for one in open_ones or there))
        return Look(ok=not open_ones, actual=found)

    return look
