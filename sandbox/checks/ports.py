"""Goal safe, continued: which sockets may listen, where, and whose they are."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from sandbox.app_logs.answer import SHINY_SERVER
from sandbox.checks import fixes
from sandbox.checks.check import CannotLook, Check, Look, none_of
from sandbox.checks.live import Seen
from sandbox.checks.results import Goal
from sandbox.facts.subjects.ports import ListeningPort, Ports
from sandbox.plan import Plan

_SYSTEM_LISTENERS = {
    # name of the process: (protocol, port) that it is known to open to the network
    "dhclient": {("udp", 68), ("udp", 546)},
    "dhcpcd": {("udp", 68), ("udp", 546)},
    "systemd-network": {("udp", 68), ("udp", 546)},
    "systemd-resolve": {("udp", 5355), ("tcp", 5355), ("udp", 5353)},
}
_SYSTEM_LOOPBACK = ("systemd-resolve", "chronyd", "systemd-timesyn", "sshd", "ssh")


def seen_checks(plan: Plan) -> Iterator[Check[Seen]]:
    """What the facts tell."""
    yield Check(
        "safe.ports",
        Goal.SAFE,
        "nothing unplanned listens to the network",
        ", ".join(f"{name} on {port}" for name, port in _planned_ports(plan))
        + " and the system's own name and address services",
        "a forgotten port is a door that nobody watches",
        lambda seen: none_of(_strange_ports(plan, seen), nothing="only what is planned"),
        # Whatever it is: what was not there when it was provisioned
        fixes.reset(plan),
    )
    yield Check(
        "safe.ports.loopback",
        Goal.SAFE,
        "nothing unplanned listens on the loopback address",
        "only R processes of Shiny Server, sshd, and the system's own services",
        "every user of the machine, every app included, can talk to what listens there",
        lambda seen: none_of(_strange_loopback(plan, seen), nothing="only what is planned"),
        fixes.reset(plan),
    )
    for name, port in _planned_ports(plan):
        yield Check(
            f"safe.port.{port}",
            Goal.SAFE,
            f"port {port} is {name}'s",
            f"{name} listens on {port}/tcp",
            "another program on a service's port takes the users' requests, passwords included",
            _owner_of(plan, name, port),
            fixes.up(plan),
        )


def _planned_ports(plan: Plan) -> tuple[tuple[str, int], ...]:
    shiny = plan.services.shiny_server
    return (("sshd", 22), ("shiny-server", shiny.port)) if shiny else (("sshd", 22),)


def _all_ports(seen: Seen) -> Ports:
    found = seen.facts.get(Ports)
    if found is None:
        raise CannotLook("the probe saw no listening ports (is iproute2 installed?)")
    return found


def _strange_ports(plan: Plan, seen: Seen) -> Iterator[str]:
    planned = {port for _, port in _planned_ports(plan)}
    for one in _all_ports(seen):
        known = _SYSTEM_LISTENERS.get(one.process or "", set())
        if one.loopback or (one.protocol, one.port) in known:
            continue
        if one.protocol != "tcp" or one.port not in planned:
            yield _named(one)


def _strange_loopback(plan: Plan, seen: Seen) -> Iterator[str]:
    planned = {port for _, port in _planned_ports(plan)}
    for one in _all_ports(seen):
        # Each R process of Shiny Server listens on a port of its own there
        worker = plan.has_shiny and one.process == "R" and one.protocol == "tcp"
        if not one.loopback or worker or one.process in _SYSTEM_LOOPBACK:
            continue
        if one.protocol != "tcp" or one.port not in planned:
            yield _named(one)


def _named(one: ListeningPort) -> str:
    return (
        f"{one.process or 'a process that was not seen'} on {one.address} {one.port}/{one.protocol}"
    )


def _owner_of(plan: Plan, name: str, port: int) -> Callable[[Seen], Look]:
    # A process name has 15 characters
    names = {"sshd": {"sshd", "systemd"}, "shiny-server": SHINY_SERVER}[name]

    def look(seen: Seen) -> Look:
        there = [one for one in _all_ports(seen) if (one.protocol, one.port) == ("tcp", port)]
        if not there:
            return Look(ok=False, actual=f"nothing listens on {port}/tcp")
        strangers = [one for one in there if one.process is not None and one.process not in names]
        if strangers:
            return replace(none_of(map(_named, strangers)), fix=fixes.reset(plan))
        return Look(ok=True, actual=", ".join(dict.fromkeys(_named(one) for one in there)))

    return look
