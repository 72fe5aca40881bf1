"""Servers with Posit's Rs, as boxes: each must be valid, and ask for the same Rs."""

from pathlib import Path
from typing import Any

import yaml

from sandbox.capture.write_box import CapturedBox, write_box
from sandbox.facts.facts import Facts
from sandbox.facts.making import Room
from sandbox.facts.subjects.os import Os
from sandbox.facts.subjects.packages import SystemPackage
from sandbox.facts.subjects.r import RInstallation, RInstallations
from sandbox.facts.subjects.shiny import SeenShinyServer
from sandbox.spec.bases import load_bases
from sandbox.spec.load import load_box
from tests.unit.changed_facts import with_named
from tests.unit.checks.samples import good

FACTS = good().facts
DEBIANS = FACTS[RInstallations][0]


def r(version: str, home: str, *, on_path: bool = False, views: bool = True) -> RInstallation:
    newer = {"version": version, "home": home}
    seen = tuple(view.model_copy(update=newer) for view in DEBIANS.views[:1]) if views else ()
    found_as = (f"/opt/R/{version}",)
    return RInstallation(**newer, found_as=found_as, on_path=on_path, views=seen)


def posit(version: str, *, on_path: bool = False) -> RInstallation:
    return r(version, f"/opt/R/{version}/lib/R", on_path=on_path)


def debians(*, on_path: bool = False) -> RInstallation:
    return DEBIANS.model_copy(update={"on_path": on_path, "views": DEBIANS.views[:1]})


def captured(*rs: RInstallation, **parts: Any) -> CapturedBox:
    packages = tuple(
        SystemPackage(name=name, version="1", manual=True)
        for name in ("r-4.4.1", "r-4.3.3", "r-4.6.1", "r-base-core")
    )
    facts: Facts = with_named(
        FACTS.without(SeenShinyServer), r=rs, system_packages=packages, **parts
    )
    return write_box(
        facts,
        source="admin@prod",
        facts_file="prod.facts.json",
        bases=load_bases(),
        room=Room(cpus=4, memory_mb=8192),
    )


def said(box: CapturedBox, tmp_path: Path) -> dict[str, Any]:
    """What it says of R, after the real loader has found nothing wrong with it."""
    (tmp_path / "prod.facts.json").write_text("{}")
    path = tmp_path / "prod.yml"
    path.write_text(box.text)
    load_box(path)
    found: dict[str, Any] = yaml.safe_load(box.text)["r"]
    return found


def test_posits_r_beside_debians(tmp_path: Path) -> None:
    box = captured(posit("4.4.1", on_path=True), posit("4.3.3"), debians())
    assert box.base.name == "debian-12"
    found = said(box, tmp_path)
    assert "packages" not in found
    assert found["versions"] == [
        {"version": "4.4.1", "source": "posit", "default": True},
        {"version": "4.3.3", "source": "posit"},
        {"version": "4.2", "packages": {"if_missing": "skip", "names": ["plumber", "shiny"]}},
    ]
    assert "R packages of R 4.4.1 in /opt/R/4.4.1/lib/R: plumber, shiny" in box.notes
    assert not [note for note in box.notes if note.startswith("more Rs")]


def test_debians_r_is_the_default(tmp_path: Path) -> None:
    found = said(captured(debians(on_path=True), posit("4.4.1")), tmp_path)
    assert found["versions"] == [
        {
            "version": "4.2",
            "default": True,
            "packages": {"if_missing": "skip", "names": ["plumber", "shiny"]},
        },
        {"version": "4.4.1", "source": "posit"},
    ]


def test_posits_r_alone(tmp_path: Path) -> None:
    found = said(captured(posit("4.4.1", on_path=True)), tmp_path)
    assert (found["version"], found["source"]) == ("4.4.1", "posit")
    assert "versions" not in found


def test_a_build_that_is_portable_brings_its_openblas(tmp_path: Path) -> None:
    reference = posit("4.6.1", on_path=True)
    views = tuple(
        view.model_copy(
            update={"external_software": {"BLAS": "/opt/R/4.6.1/lib/R/lib/libRblas.so"}}
        )
        for view in reference.views
    )
    found = said(captured(reference.model_copy(update={"views": views})), tmp_path)
    assert found["blas"] == "openblas"


def test_other_rs_are_noted(tmp_path: Path) -> None:
    own = r("4.1.0", "/usr/local/lib/R")
    box = captured(debians(on_path=True), own, posit("4.4.1"))
    assert len(said(box, tmp_path)["versions"]) == 2
    assert "more Rs: 4.1.0 in /usr/local/lib/R" in box.notes


def test_an_r_that_only_lies_where_posits_do(tmp_path: Path) -> None:
    box = captured(debians(on_path=True), posit("4.0.5"))
    assert said(box, tmp_path)["versions"][1]["version"] == "4.0.5"
    note = "R 4.0.5 in /opt/R/4.0.5/lib/R is not from Posit's package; the box takes that"
    assert note in box.notes


def test_posits_r_on_another_system_needs_no_base_with_that_r(tmp_path: Path) -> None:
    rocky = FACTS[Os].model_copy(update={"id": "rocky", "version": "9", "name": "Rocky Linux 9"})
    box = captured(posit("4.4.1", on_path=True), os=rocky)
    assert said(box, tmp_path)["version"] == "4.4.1"
    assert box.base.name == "debian-13"
    assert not [note for note in box.notes if note.startswith("production's R is")]
