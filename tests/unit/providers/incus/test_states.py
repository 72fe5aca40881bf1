"""What is asked of Incus for a machine's network, and what the start script says of sshd."""

from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.providers.engine import MachineSpec
from sandbox.providers.incus.instance_request import machine_body
from sandbox.providers.incus.place import IncusPlace
from sandbox.providers.incus.ready_script import parse_ready, sshd_words

PLACE = IncusPlace.from_prefix("sandbox")
SPEC = MachineSpec("a", "img", 1, 512, 4, "ssh-ed25519 AAAA", Path("/state/a"))


@pytest.mark.parametrize(("isolated", "word"), [(True, "true"), (False, "false")])
def test_a_network_card_says_whether_it_is_isolated(isolated: bool, word: str) -> None:
    body = machine_body(replace(SPEC, isolated=isolated), PLACE)
    assert body["devices"]["eth0"]["security.port_isolation"] == word


def test_a_machine_is_isolated_unless_somebody_says_otherwise() -> None:
    assert machine_body(SPEC, PLACE)["devices"]["eth0"]["security.port_isolation"] == "true"


def test_what_was_mended_is_told() -> None:
    said = "state: x\nmended: sshd was inactive: it was started\nready: running 10.0.0.2 answers \n"
    ready = parse_ready(said)
    assert ready is not None
    assert ready.mended == ("sshd was inactive: it was started",)


def test_sshds_own_words_are_found() -> None:
    said = "sshd: /etc/ssh/sshd_config: line 3: Bad option\nsshd: terminating\nlate: no\n"
    assert sshd_words(said) == "/etc/ssh/sshd_config: line 3: Bad option\nterminating"
    assert sshd_words("late: systemd: starting\n") == ""
