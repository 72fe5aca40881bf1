"""Each provider answers the same questions, and nobody decides anything by a provider's name."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from sandbox.errors import HostError
from sandbox.host.setup import SetupWishes
from sandbox.providers import FALLBACK, PROVIDERS, Registry, load_provider
from sandbox.providers.engine import MachineSpec
from sandbox.providers.fake import FakeEngine, FakeProvider
from sandbox.providers.place import Place
from sandbox.providers.provider import HostSetup, Provider
from sandbox.providers.vagrant.files import VmFolder, new_record
from sandbox.spec.choices import ProviderName
from sandbox.spec.models import Providers, VagrantOptions
from tests.conftest import ROOT

PLACE = Place("test")


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_provider_answers_the_protocol(name: str) -> None:
    found = load_provider(name)
    assert isinstance(found, Provider)
    assert found.name == name
    assert found.title.lower() == name
    assert found.make_engine(PLACE).provider == name


def test_every_word_of_a_box_is_a_provider() -> None:
    assert set(PROVIDERS) == set(get_args(ProviderName))
    assert FALLBACK in PROVIDERS
    assert set(Providers.model_fields) <= set(PROVIDERS)


def test_who_is_no_provider_is_named() -> None:
    with pytest.raises(HostError, match="cannot drive hyperv") as caught:
        Registry()["hyperv"]
    assert caught.value.hint == f"use --provider {FALLBACK}"


def test_the_one_that_is_meant_by_default_can_be_set_up() -> None:
    setting_up = {name: one for name, one in Registry().items() if isinstance(one, HostSetup)}
    assert FALLBACK in setting_up
    assert "virtualbox" not in setting_up
    for one in setting_up.values():
        assert one.setup_wishes <= set(vars(SetupWishes()))


def test_one_provider_at_least_runs_everywhere() -> None:
    assert any(not one.linux_only for one in Registry().values())


@pytest.mark.parametrize("name", ["libvirt", "virtualbox"])
def test_a_folder_says_who_made_its_machine(tmp_path: Path, name: str) -> None:
    assert Registry().maker_of(tmp_path) is None
    spec = MachineSpec("shiny", "img", 1, 512, 4, "ssh-ed25519 AAAA", tmp_path)
    record = new_record(spec, "libvirt", "test", {22: 20200})
    VmFolder(tmp_path).write(record.model_copy(update={"provider": name}))
    assert Registry().maker_of(tmp_path) == name
    fake = Registry(("fake",), lambda _: FakeProvider(FakeEngine(tmp_path)))
    assert fake.maker_of(tmp_path) is None


def test_limits_of_virtualbox_take_nothing_that_only_linux_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def read(*_: object, **__: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr("pathlib.Path.read_text", read)
    monkeypatch.delattr("os.sched_getaffinity")
    limits = load_provider("virtualbox").limits(PLACE)
    assert limits is not None
    assert limits.memory_mb > 0
    assert limits.cpus > 0


def test_what_runs_elsewhere_has_no_limits_here() -> None:
    assert load_provider("incus").limits(Place("test", remote="lab")) is None


def test_a_box_has_options_for_those_that_take_some() -> None:
    providers = Providers()
    for name in (*PROVIDERS, "fake", "model_fields"):
        options = providers.options(name)
        assert (options is not None) is (name in Providers.model_fields)
        assert options is None or isinstance(options, VagrantOptions)


def names_in(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Where a provider's name is a word, or an attribute, of the code."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.value in PROVIDERS:
            yield node.lineno, repr(node.value)
        if isinstance(node, ast.Attribute) and node.attr in PROVIDERS:
            yield node.lineno, f".{node.attr}"


def test_no_code_outside_asks_for_a_provider_by_name() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {word}"
        for path in sorted((ROOT / "sandbox").rglob("*.py"))
        if path.relative_to(ROOT).parts[1] not in ("providers", "spec")
        for line, word in names_in(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert found == []
    # The rule itself sees what it is to see
    assert list(names_in(ast.parse('if plan.provider == "incus": box.providers.libvirt')))


def test_a_providers_folder_names_no_other() -> None:
    found = []
    for name in PROVIDERS:
        for path in sorted((ROOT / "sandbox" / "providers" / name).rglob("*.py")):
            words = names_in(ast.parse(path.read_text(encoding="utf-8")))
            others = [(line, word) for line, word in words if word.strip("'.") != name]
            found += [f"{path.relative_to(ROOT)}:{line}: {word}" for line, word in others]
    assert found == []
