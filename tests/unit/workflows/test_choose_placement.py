"""From what was typed to a plan, and what the plan would write."""

from pathlib import Path

import pytest

from sandbox.errors import BoxError
from sandbox.providers import Registry
from sandbox.providers.engine import MachineStatus, Power
from sandbox.providers.fake import FakeEngine, FakeProvider
from sandbox.providers.findings import Finding
from sandbox.providers.place import Place
from sandbox.record import Record
from sandbox.state import locked
from sandbox.summary import Phase
from sandbox.workflows.choose_placement import Overrides, placement_for
from sandbox.workflows.context import Context
from sandbox.workflows.preview import preview
from tests.conftest import ROOT


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Context:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    bad = FakeEngine(tmp_path, findings=(Finding(ok=False, title="nothing is usable"),))
    return Context(Place("test"), providers=Registry(load=lambda _: FakeProvider(bad)))


def plan_of(context: Context, **chosen: str | None) -> str:
    its = Context(**{**vars(context), **chosen})
    return placement_for("boxes/r.yml", Overrides(), its, cwd=ROOT).provider


def test_a_sandbox_stays_with_its_provider(context: Context) -> None:
    assert plan_of(context) == "incus"
    plan = placement_for(
        "boxes/r.yml", Overrides(), Context(**{**vars(context), "provider": "libvirt"}), cwd=ROOT
    )
    with locked("r") as instance:
        instance.write(Record(placement=plan, phase=Phase.CREATED))
    assert plan_of(context) == "libvirt"
    assert plan_of(context, default_provider="virtualbox") == "libvirt"
    assert plan_of(context, provider="incus") == "incus"


@pytest.mark.parametrize("provider", ["virtualbox", "libvirt"])
def test_a_preview_has_the_vagrantfile(
    provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    real = Context(Place("test"), provider=provider)
    plan = placement_for("boxes/shiny.yml", Overrides(), real, cwd=ROOT)
    files = {str(file.path): file.content for file in preview(plan, real)}
    assert {"Vagrantfile", "login.sh", "bootstrap.sh", "plan.json"} <= set(files)
    assert f'machine.vm.provider "{provider}"' in files["Vagrantfile"]
    assert "3838" in files["Vagrantfile"]
    assert list(tmp_path.iterdir()) == []


def test_an_emulated_machine_is_given_time() -> None:
    assert MachineStatus("a", Power.RUNNING).patient(30) == 30
    assert MachineStatus("a", Power.RUNNING, emulated=True).patient(30) == 300


def test_a_sandbox_remembers_the_root_that_was_named(context: Context, tmp_path: Path) -> None:
    box = tmp_path / "boxes" / "mine.yml"
    box.parent.mkdir()
    box.write_text("version: 1\nbase: debian-12\nproduction: ../prod.facts.json\n")
    (tmp_path / "prod.facts.json").touch()
    with pytest.raises(BoxError, match="has a problem"):
        placement_for(str(box), Overrides(), context, cwd=tmp_path)
    plan = placement_for(str(box), Overrides(root=tmp_path), context, cwd=tmp_path)
    assert plan.plan.box_root == tmp_path
    with locked("mine") as instance:
        instance.write(Record(placement=plan, phase=Phase.CREATED))
    again = placement_for("mine", Overrides(), context, cwd=tmp_path)
    assert again == plan
    inside = plan.with_plan(plan.plan.model_copy(update={"box_root": None}))
    assert inside.key == plan.key
