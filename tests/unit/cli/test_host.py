"""What `sandbox host setup` says about power over this host."""

import pytest

from sandbox.cli.host import _tell_about_group
from sandbox.host import facts
from sandbox.providers.incus import host_setup as setup
from sandbox.providers.incus.client import explain
from tests.unit.providers.host_facts import a_host


@pytest.mark.parametrize("user", [None, "ada"])
def test_setup_says_what_membership_of_the_group_means(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], user: str | None
) -> None:
    monkeypatch.setattr(facts, "gather", lambda: a_host(user=user, in_group=bool(user)))
    _tell_about_group("incus")
    said = capsys.readouterr().err
    assert "members of the group incus-admin are as good as root on this host" in said
    assert "nobody whom you would not give sudo" in said


def test_who_is_to_become_a_member_is_told_before() -> None:
    assert "as good as root" in setup._join_group("ada").title


def test_who_is_told_to_become_one_is_told_too() -> None:
    told = explain("You don't have the needed permissions to talk to the incus daemon", what="x")
    assert "as good as root" in told.hint
