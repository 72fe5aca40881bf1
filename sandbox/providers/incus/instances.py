"""Read Incus's answers: turn instances into machine statuses, and the daemon into findings."""

import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from sandbox.errors import SandboxError
from sandbox.providers.engine import MachineStatus, Power
from sandbox.providers.findings import Finding
from sandbox.providers.incus.client import IncusClient, api_path

LABEL = "user.sandbox."
"""Begins the name of every label of a machine."""
MADE_BY = "user.sandbox-engine.made-by"
OURS = "sandbox"
BAKED = "sandbox bake"
"""The maker noted on a baked image: it is nobody's machine."""
SEAT = "sandbox seat"
"""The maker noted on the machine of a workshop's seat: no command for sandboxes touches it."""
REPLICA = "sandbox seat replica"
"""The maker noted on the stopped copy of a seat's machine."""
AUTHORIZED_KEY = "user.sandbox-engine.authorized-key"

_SETUP = "sandbox host setup --provider incus"
_CONNECT_S = 2.0
_GREETING = b"SSH-2.0-sandbox\r\n"
_LONGEST_GREETING = 255

_POWER = {
    "Running": Power.RUNNING,
    "Ready": Power.RUNNING,
    "Stopping": Power.RUNNING,
    "Starting": Power.STARTING,
    "Stopped": Power.STOPPED,
    "Freezing": Power.PAUSED,
    "Frozen": Power.PAUSED,
}


def is_our_instance(instance: dict[str, Any]) -> bool:
    """Tell whether this program made the instance."""
    return bool(config_of(instance).get(MADE_BY) == OURS)


def config_of(instance: dict[str, Any]) -> dict[str, Any]:
    """Return an instance's settings; empty for one that is being made or removed at this moment."""
    return instance.get("config") or {}


def machine_status(
    name: str,
    instance: dict[str, Any] | None,
    *,
    local: bool,
    leases: Mapping[str, str] | None = None,
) -> MachineStatus:
    """Convert an instance's status for the rest of the program.

    Args:
        name: the machine's.
        instance: as Incus lists it; None: there is none.
        local: whether this host has a route to it.
        leases: addresses by network card, where the instance came without its state.
    """
    if instance is None:
        return MachineStatus(name, Power.ABSENT)
    if not is_our_instance(instance):
        detail = "an instance of that name is there, but `sandbox` did not make it"
        return MachineStatus(name, Power.ABSENT, detail=detail)
    word = str(instance["status"])
    labels = tuple(
        sorted(
            (key.removeprefix(LABEL), str(value))
            for key, value in config_of(instance).items()
            if key.startswith(LABEL)
        )
    )
    return MachineStatus(
        name=name,
        power=power_of(instance),
        address=_address(instance, leases or {}) if local else None,
        detail=word,
        labels=labels,
    )


def power_of(instance: dict[str, Any]) -> Power:
    """Return the state of an instance, in the word that is the same for every provider."""
    return _POWER.get(str(instance["status"]), Power.BROKEN)


def _address(instance: dict[str, Any], leases: Mapping[str, str]) -> str | None:
    if instance.get("state") is None and instance["status"] == "Running":
        return leases.get(str(config_of(instance).get("volatile.eth0.hwaddr")))
    networks = (instance.get("state") or {}).get("network") or {}
    for entry in (networks.get("eth0") or {}).get("addresses") or ():
        if entry["family"] == "inet" and entry["scope"] == "global":
            return str(entry["address"])
    return None


def ssh_port_is_open(address: str) -> bool:
    """Tell whether this host reaches the machine's sshd: a firewall may be in between."""
    try:
        connection = socket.create_connection((address, 22), timeout=_CONNECT_S)
    except OSError:
        return False
    # A client that leaves early, without a word, is an error in the machine's log
    with connection, suppress(OSError):
        connection.sendall(_GREETING)
        connection.recv(_LONGEST_GREETING)
    return True


def daemon_findings(client: IncusClient) -> tuple[Finding, ...]:
    """Test client, daemon, permission and our own place; stop where the rest cannot work."""
    place = client.place
    answers = "the Incus daemon answers"
    try:
        server = client.query("GET", "/1.0")
    except SandboxError as error:
        detail = f"{error.message}: {error.details}" if error.details else error.message
        return (Finding(ok=False, title=answers, detail=detail, fix=error.hint or _SETUP),)
    if server.get("auth") != "trusted":
        detail = f"the server {place.remote} does not trust this client"
        fix = "incus config trust add NAME there, incus remote add NAME TOKEN here"
        return (Finding(ok=False, title=answers, detail=detail, fix=fix),)
    version = (server.get("environment") or {}).get("server_version", "of no version")
    found = [Finding(ok=True, title=answers, detail=f"{place.remote}, version {version}")]
    for kind, name, what in (
        ("projects", place.project, "project"),
        ("storage-pools", place.pool, "storage pool"),
        ("networks", place.network, "network"),
        ("profiles", "default", "profile"),
    ):
        found.append(_existence(client, kind, name, what))
        if not found[-1].ok and kind == "projects":
            break
    return tuple(found)


def _existence(client: IncusClient, kind: str, name: str, what: str) -> Finding:
    title = f"our Incus {what} {name} is there"
    try:
        there = client.exists(kind, name)
    except SandboxError as error:
        return Finding(ok=False, title=title, detail=error.details or error.message, fix=_SETUP)
    if not there:
        return Finding(ok=False, title=title, detail="it is not", fix=_SETUP)
    if kind == "storage-pools":
        driver = str(client.query("GET", api_path(kind, name))["driver"])
        if driver == "dir":
            detail = "a plain folder: slow copies, and the size of a disk is not enforced"
            return Finding(ok=False, warning=True, title=title, detail=detail)
        return Finding(ok=True, title=title, detail=driver)
    return Finding(ok=True, title=title)
