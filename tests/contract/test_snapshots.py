"""Snapshots, with the same words and results on every engine that has them."""

from datetime import UTC, datetime, timedelta

import pytest

from sandbox.errors import ProviderError
from sandbox.events import ignore
from sandbox.providers.abilities import RootExec, Snapshots
from sandbox.providers.engine import Engine, Power
from tests.contract.conftest import FakeLab, Lab


def able(lab: Lab) -> Snapshots:
    engine = lab.engine
    assert isinstance(engine, Snapshots)
    return engine


def sh(engine: Engine, name: str, script: str) -> str:
    assert isinstance(engine, RootExec)
    return engine.exec_as_root(name, ("sh", "-c", script), timeout_s=120).stdout.strip()


def test_back_to_how_it_was(lab: Lab) -> None:
    engine, snapshots = lab.engine, able(lab)
    engine.create(lab.spec("past"), ignore)
    engine.start("past", ignore)
    assert snapshots.snapshots("past") == ()
    if not isinstance(lab, FakeLab):
        sh(engine, "past", "echo before > /root/kept; sync")
    snapshots.save_snapshot("past", "first", ignore)
    [saved] = snapshots.snapshots("past")
    assert saved.name == "first"
    assert abs(saved.created_at - datetime.now(UTC)) < timedelta(minutes=5)
    if not isinstance(lab, FakeLab):
        sh(engine, "past", "echo after > /root/kept; echo new > /root/gone; sync")

    keys = engine.ssh_endpoint("past").host_keys
    snapshots.restore_snapshot("past", "first", ignore)
    assert engine.status(["past"])["past"].power is Power.RUNNING
    assert engine.ssh_endpoint("past").host_keys == keys
    if not isinstance(lab, FakeLab):
        assert sh(engine, "past", "cat /root/kept; ls /root") == "before\nkept"
        clock = int(sh(engine, "past", "date +%s"))
        assert abs(clock - datetime.now(UTC).timestamp()) < 30

    engine.stop("past", timeout_s=30)
    snapshots.restore_snapshot("past", "first", ignore)
    assert engine.status(["past"])["past"].power is Power.STOPPED
    snapshots.save_snapshot("past", "second", ignore)
    assert [one.name for one in snapshots.snapshots("past")] == ["first", "second"]
    snapshots.delete_snapshot("past", "first")
    assert [one.name for one in snapshots.snapshots("past")] == ["second"]
    engine.destroy("past")
    assert not lab.is_there("past")


def test_what_cannot_be(lab: Lab) -> None:
    engine, snapshots = lab.engine, able(lab)
    for call in (
        lambda: snapshots.save_snapshot("nobody", "one", ignore),
        lambda: snapshots.restore_snapshot("nobody", "one", ignore),
        lambda: snapshots.delete_snapshot("nobody", "one"),
        lambda: snapshots.snapshots("nobody"),
    ):
        with pytest.raises(ProviderError, match="nobody"):
            call()
    engine.create(lab.spec("once"), ignore)
    snapshots.save_snapshot("once", "one", ignore)
    with pytest.raises(ProviderError, match="once has a snapshot one already") as caught:
        snapshots.save_snapshot("once", "one", ignore)
    # No provider's words about its database
    assert caught.value.details == ""
    assert "sandbox snapshot delete once one" in caught.value.hint
    with pytest.raises(ProviderError, match="has no snapshot two"):
        snapshots.restore_snapshot("once", "two", ignore)
    with pytest.raises(ProviderError, match="has no snapshot two"):
        snapshots.delete_snapshot("once", "two")
    assert [one.name for one in snapshots.snapshots("once")] == ["one"]
