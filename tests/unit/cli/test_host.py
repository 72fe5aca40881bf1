"""What `sandbox host setup` says about power over this host, and where it does nothing."""

import pytest

from sandbox.cli.host import setup, teardown
from sandbox.errors import UsageError
from sandbox.host import privilege
from sandbox.host.setup import SetupOutcome
from sandbox.providers.incus import host_setup
from sandbox.providers.incus.client import explain


@pytest.mark.parametrize("user", [None, "ada"])
def test_setup_says_what_membership_of_the_group_means(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], user: str | None
) -> None:
    monkeypatch.setattr(privilege, "invoking_user", lambda: user)
    monkeypatch.setattr("sandbox.host.groups.is_member", lambda *_: True)
    monkeypatch.setattr("sandbox.host.groups.has_group_now", lambda _: False)
    monkeypatch.setattr(host_setup, "host_setup", lambda *_, **__: SetupOutcome.UNCHANGED)
    setup()
    said = capsys.readouterr().err
    assert "members of the group incus-admin are as good as root on this host" in said
    assert "give it only to people who may have sudo" in said
    assert ("newgrp incus-admin" in said) is (user is not None)


def test_who_is_to_become_a_member_is_told_before() -> None:
    assert "as good as root" in host_setup._join_group("ada").title


def test_who_is_told_to_become_one_is_told_too() -> None:
    told = explain("You don't have the needed permissions to talk to the incus daemon", what="x")
    assert "as good as root" in told.hint


def test_what_its_maker_installs_is_not_set_up() -> None:
    with pytest.raises(UsageError, match="does not install VirtualBox: its maker does") as caught:
        setup(provider="virtualbox")
    assert caught.value.hint == "sandbox doctor --provider virtualbox tells what is missing"
    with pytest.raises(UsageError, match="makes nothing for VirtualBox, so nothing is removed"):
        teardown(provider="virtualbox")
    with pytest.raises(UsageError, match="no provider `xen`"):
        setup(provider="xen")


@pytest.mark.parametrize("options", [{"pool_gb": 9}, {"subnet": "10.9.8.0/24"}])
def test_what_a_provider_would_not_go_by_is_refused(options: dict[str, str]) -> None:
    with pytest.raises(UsageError) as caught:
        setup(provider="libvirt", **options)  # type: ignore[arg-type]
    assert caught.value.message == (
        "--pool-gb and --subnet are for Incus: libvirt needs neither here"
    )
