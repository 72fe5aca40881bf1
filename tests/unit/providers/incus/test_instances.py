"""What instances are to the rest of the program, and what a machine says of itself."""

from typing import Any

import pytest

from sandbox.providers.engine import Power
from sandbox.providers.incus.baking import is_baked
from sandbox.providers.incus.instances import MADE_BY, machine_status
from sandbox.providers.incus.ready_script import FORWARD, READY, Ready, parse_host_keys, parse_ready


def instance(status: str, **config: str) -> dict[str, Any]:
    addresses = [
        {"family": "inet6", "scope": "link", "address": "fe80::1"},
        {"family": "inet", "scope": "global", "address": "10.1.2.3"},
    ]
    return {
        "status": status,
        "config": {MADE_BY: "sandbox", **config},
        "state": {"network": {"lo": {"addresses": []}, "eth0": {"addresses": addresses}}},
    }


@pytest.mark.parametrize(
    ("word", "power"),
    [
        ("Running", Power.RUNNING),
        ("Stopped", Power.STOPPED),
        ("Starting", Power.STARTING),
        ("Frozen", Power.PAUSED),
        ("Error", Power.BROKEN),
        ("Something new", Power.BROKEN),
    ],
)
def test_power(word: str, power: Power) -> None:
    status = machine_status("a", instance(word), local=True)
    assert (status.power, status.detail) == (power, word)


def test_a_machine_of_ours() -> None:
    labels = {"user.sandbox.box": "shiny", "user.other": "x", "limits.cpu": "2"}
    status = machine_status("a", instance("Running", **labels), local=True)
    assert status.address == "10.1.2.3"
    assert status.labels == (("box", "shiny"),)


def test_there_is_no_route_to_a_remote_machine() -> None:
    assert machine_status("a", instance("Running"), local=False).address is None


def test_a_stopped_machine_has_no_address() -> None:
    stopped = {**instance("Stopped"), "state": {"network": None}}
    assert machine_status("a", stopped, local=True).address is None


def test_somebody_elses_machine() -> None:
    status = machine_status("a", {**instance("Running"), "config": {}}, local=True)
    assert status.power is Power.ABSENT
    assert "did not make" in status.detail
    assert machine_status("a", None, local=True).detail == ""


def test_ready() -> None:
    said = "state: systemd: starting\nready: degraded 10.1.2.3 answers a.service b.mount \n"
    assert parse_ready(said) == Ready("degraded", "10.1.2.3", True, ("a.service", "b.mount"))
    assert parse_ready("ready: running 10.1.2.3 absent \n") == Ready(
        "running", "10.1.2.3", False, ()
    )


@pytest.mark.parametrize(
    "said", ["", "late: no address", "ready: running $(x) answers", "ready: running"]
)
def test_not_ready(said: str) -> None:
    assert parse_ready(said) is None


def test_host_keys_without_comments_and_noise() -> None:
    said = "ssh-ed25519 AAAA root@build\necdsa-sha2-nistp256 BBBB==\ncat: no such file\n"
    assert parse_host_keys(said) == ("ssh-ed25519 AAAA", "ecdsa-sha2-nistp256 BBBB==")


def test_nothing_is_left_to_fill_in() -> None:
    assert "@USER@" not in READY + FORWARD


def test_an_instance_that_comes_or_goes_has_no_configuration_yet() -> None:
    """Incus lists it so for a moment; `sandbox list` and the cache must not fall over it."""
    assert (
        machine_status("a", {"status": "Error", "config": None}, local=True).power is Power.ABSENT
    )
    assert not is_baked({"name": "a", "status": "Stopped", "config": None})


def test_an_address_from_the_networks_leases() -> None:
    bare = {**instance("Running", **{"volatile.eth0.hwaddr": "00:16"}), "state": None}
    leases = {"00:16": "10.1.2.9"}
    assert machine_status("a", bare, local=True, leases=leases).address == "10.1.2.9"
    assert machine_status("a", bare, local=True).address is None
    stopped = {**bare, "status": "Stopped"}
    assert machine_status("a", stopped, local=True, leases=leases).address is None
