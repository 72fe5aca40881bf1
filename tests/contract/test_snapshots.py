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


def test_back_to_how_it_was(quick_lab: Lab) -> None:
    engine = quick_lab.engine
    engine.create(quick_lab.spec("past"), ignore)
    engine.start("past", ignore)
    assert able(quick_lab).snapshots("past") == ()
    go_back(quick_lab, "past")


def go_back(lab: Lab, name: str) -> None:
    """Save and restore a running machine that has no snapshot yet; at the end it is destroyed."""
    engine, snapshots = lab.engine, able(lab)
    if not isinstance(lab, FakeLab):
        sh(engine, name, "echo before > /root/kept; sync")
    snapshots.save_snapshot(name, "first", ignore)
    [saved] = snapshots.snapshots(name)
    assert saved.name == "first"
    assert abs(saved.created_at - datetime.now(UTC)) < timedelta(minutes=5)
    if not isinstance(lab, FakeLab):
        sh(engine, name, "echo after > /root/kept; echo new > /root/gone; sync")

    keys = engine.ssh_endpoint(name).host_keys
    snapshots.restore_snapshot(name, "first", ignore)
    assert engine.status([name])[name].power is Power.RUNNING
    assert engine.ssh_endpoint(name).host_keys == keys
    if not isinstance(lab, FakeLab):
        assert sh(engine, name, "cat /root/kept; cat /root/gone || echo none") == "before\nnone"
        clock = int(sh(engine, name, "date +%s"))
        assert abs(clock - datetime.now(UTC).timestamp()) < 30

    engine.stop(name, timeout_s=30)
    snapshots.restore_snapshot(name, "first", ignore)
    assert engine.status([name])[name].power is Power.STOPPED
    snapshots.save_snapshot(name, "second", ignore)
    assert [one.name for one in snapshots.snapshots(name)] == ["first", "second"]
    snapshots.delete_snapshot(name, "first")
    assert [one.name for one in snapshots.snapshots(name)] == ["second"]
    engine.destroy(name)
    assert not lab.is_there(name)


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
