"""A sandbox that exists stays with its provider, unless somebody says otherwise."""

from pathlib import Path
from typing import Any

import pytest

from sandbox.engines.incus_client import IncusPlace
from sandbox.state import Instance, Record
from sandbox.workflows import request
from sandbox.workflows.context import Context
from sandbox.workflows.request import Overrides, plan_for
from tests.unit.factories import shiny_plan


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(request, "choose_provider", lambda *_: "virtualbox")
    path = tmp_path / "mine.yml"
    path.write_text("version: 1\nbase: debian-12\n")
    plan = shiny_plan("mine", box_path=path).model_copy(update={"provider": "libvirt"})
    Instance("mine").write(Record(plan=plan))
    return path


def provider_of(box: Path, name: str | None = None, **chosen: Any) -> str:
    context = Context(place=IncusPlace.from_prefix("test"), **chosen)
    return plan_for(str(box), Overrides(name=name), context, cwd=box.parent).provider


def test_no_provider_is_looked_for_where_the_sandbox_has_one(box: Path) -> None:
    assert provider_of(box) == "libvirt"


def test_a_new_sandbox_gets_the_first_usable_one(box: Path) -> None:
    assert provider_of(box, "another") == "virtualbox"


def test_what_the_user_says_comes_first(box: Path) -> None:
    assert provider_of(box, provider="virtualbox") == "virtualbox"
    assert provider_of(box, default_provider="virtualbox") == "virtualbox"
