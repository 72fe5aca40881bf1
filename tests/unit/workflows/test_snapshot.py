"""Snapshots and reset, with the fake engine."""

from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.errors import ProviderError, UsageError
from sandbox.events import Event, Notice, ignore
from sandbox.guest.guest import Guest
from sandbox.providers import Registry
from sandbox.providers.engine import MachineSpec, Power
from sandbox.providers.fake import FakeEngine, FakeProvider
from sandbox.providers.place import Place
from sandbox.record import Record
from sandbox.state import Instance
from sandbox.summary import Phase
from sandbox.workflows import snapshot
from sandbox.workflows.context import Context
from tests.unit.factories import plain_sandbox


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return FakeEngine(tmp_path / "machines")


@pytest.fixture
def context(engine: FakeEngine) -> Context:
    def load(name: str) -> FakeProvider:
        assert name == "fake"
        return FakeProvider(engine)

    return Context(place=Place("sandbox"), providers=Registry(("fake",), load))


@pytest.fixture
def plain(engine: FakeEngine, context: Context) -> Instance:
    instance = Instance("plain")
    spec = MachineSpec("plain", "img", 1, 512, 4, "ssh-ed25519 AAAA", instance.folder)
    engine.create(spec, ignore)
    engine.start("plain", ignore)
    instance.write(Record(placement=plain_sandbox(), phase=Phase.PROVISIONED))
    return instance


def names(context: Context) -> list[str]:
    return [one.name for one in snapshot.saved("plain", context=context)]


def test_save_restore_list_delete(plain: Instance, context: Context) -> None:
    assert names(context) == []
    assert snapshot.save("plain", "before", context=context) == "before"
    assert snapshot.save("plain", None, context=context) == "snap-1"
    assert snapshot.save("plain", None, context=context) == "snap-2"
    assert names(context) == ["before", "snap-1", "snap-2"]
    plain.write_text("checks.json", "{}")
    assert snapshot.restore("plain", None, context=context) == "snap-2"
    assert not (plain.folder / "checks.json").exists()
    assert snapshot.restore("plain", "before", context=context) == "before"
    snapshot.delete("plain", "snap-1", context=context)
    assert names(context) == ["before", "snap-2"]
    assert snapshot.save("plain", None, context=context) == "snap-1"
    said = [(entry.what, entry.note) for entry in plain.require().history]
    assert said[-2:] == [("snapshot deleted", "snap-1"), ("snapshot saved", "snap-1")]


def guest_of(context: Context) -> Guest:
    return context.guest_named("plain")


def test_reset_goes_back_to_what_up_saved(
    plain: Instance, engine: FakeEngine, context: Context
) -> None:
    with pytest.raises(UsageError, match="nothing to take plain back to") as caught:
        snapshot.reset("plain", context=context)
    # Plain `up` of a machine that needs nothing saves nothing
    assert "sandbox up plain --provision" in caught.value.hint
    snapshot.keep_provisioned(guest_of(context), plain.require())
    snapshot.keep_provisioned(guest_of(context), plain.require())
    assert names(context) == [snapshot.PROVISIONED]
    with pytest.raises(UsageError, match="has no snapshot"):
        snapshot.restore("plain", None, context=context)
    engine.set_power("plain", Power.STOPPED)
    snapshot.reset("plain", context=context)
    assert engine.status()["plain"].power is Power.RUNNING
    assert "restore_snapshot:plain" in engine.calls


def test_up_does_not_fail_for_a_snapshot(
    plain: Instance, engine: FakeEngine, context: Context
) -> None:
    heard: list[Event] = []
    context = replace(context, listener=heard.append)
    engine.failures["save_snapshot"] = ProviderError("full", details="no space left")
    snapshot.keep_provisioned(guest_of(context), plain.require())
    [notice] = [event for event in heard if isinstance(event, Notice)]
    assert "no space left" in notice.text


@pytest.mark.parametrize("name", ["", "A", "a b", "-x", "x/y", "x'; id", "a" * 41])
def test_names_that_cannot_be(plain: Instance, context: Context, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name"):
        snapshot.save("plain", name, context=context)


def test_what_is_not_there(plain: Instance, context: Context) -> None:
    with pytest.raises(UsageError, match="nobody"):
        snapshot.save("nobody", None, context=context)
    with pytest.raises(ProviderError, match="has no snapshot other"):
        snapshot.restore("plain", "other", context=context)
    plain.write(Record(placement=plain_sandbox(), phase=Phase.PLANNED))
    with pytest.raises(UsageError, match="never finished"):
        snapshot.save("plain", "one", context=context)
