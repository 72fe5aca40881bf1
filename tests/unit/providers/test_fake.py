"""The fake engine fails when told to, and forgets nothing between two processes."""

from pathlib import Path

import pytest

from sandbox.errors import HostError, ProviderError
from sandbox.events import ignore
from sandbox.providers import load_provider
from sandbox.providers.abilities import Baking
from sandbox.providers.engine import MachineSpec, Power
from sandbox.providers.fake import FakeEngine
from sandbox.providers.findings import Finding
from sandbox.providers.place import Place
from sandbox.run import Completed


def spec(name: str) -> MachineSpec:
    return MachineSpec(name, "image", 1, 512, 4, "ssh-ed25519 AAAA", Path("/nowhere"))


def test_it_fails_before_its_work(tmp_path: Path) -> None:
    engine = FakeEngine(tmp_path, failures={"create": ProviderError("full")})
    with pytest.raises(ProviderError, match="full"):
        engine.create(spec("a"), ignore)
    assert engine.status() == {}
    assert engine.calls == ["create:a", "status"]


def test_it_fails_after_its_work(tmp_path: Path) -> None:
    engine = FakeEngine(tmp_path, failures={"create!:a": KeyboardInterrupt()})
    engine.create(spec("b"), ignore)
    with pytest.raises(KeyboardInterrupt):
        engine.create(spec("a"), ignore)
    assert list(engine.status()) == ["a", "b"]


def test_another_process_sees_the_same(tmp_path: Path) -> None:
    FakeEngine(tmp_path).create(spec("a"), ignore)
    other = FakeEngine(tmp_path)
    assert other.status()["a"].power is Power.STOPPED
    other.start("a", ignore)
    other.set_power("a", Power.BROKEN)
    assert FakeEngine(tmp_path).status(["a"])["a"].power is Power.BROKEN


def test_commands_are_answered_as_told(tmp_path: Path) -> None:
    engine = FakeEngine(
        tmp_path, answers=lambda _, words: Completed(words, 3, "one\ntwo\n", "no", 0.0)
    )
    engine.create(spec("a"), ignore)
    engine.start("a", ignore)
    lines: list[str] = []
    done = engine.exec_as_root("a", ("sh",), timeout_s=1, check=False, on_line=lines.append)
    assert (done.returncode, lines) == (3, ["one", "two"])
    with pytest.raises(ProviderError, match="`sh` failed in a"):
        engine.exec_as_root("a", ("sh",), timeout_s=1)


def test_an_unusable_host(tmp_path: Path) -> None:
    broken = Finding(ok=False, title="it answers", fix="mend it")
    assert not FakeEngine(tmp_path, findings=(broken,)).check_host().usable


def test_a_provider_without_an_engine() -> None:
    place = Place.from_prefix("sandbox")
    for name in ("incus", "libvirt", "virtualbox"):
        engine = load_provider(name).make_engine(place)
        assert engine.provider == name
        assert isinstance(engine, Baking)
    with pytest.raises(HostError, match="hyperv"):
        load_provider("hyperv")
