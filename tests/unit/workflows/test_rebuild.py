from pathlib import Path

import pytest

from sandbox.events import Event, Notice
from sandbox.facts.subjects.r import RInstallations
from sandbox.guest.guest import Guest
from sandbox.missing import missing_r_packages
from sandbox.plan import Plan
from sandbox.providers.fake import FakeEngine
from sandbox.record import Record
from sandbox.spec.r import R, RPackages
from sandbox.state import Instance
from sandbox.workflows.choose_placement import as_made
from sandbox.workflows.rebuild import leave_out_missing, rebuild_notes
from tests.unit.changed_facts import with_named
from tests.unit.checks.samples import full_plan, good
from tests.unit.factories import placed

AVAILABLE = frozenset({"r-base-core", "r-cran-shiny"})


def test_what_cannot_be_had_is_said_before_anything_starts(tmp_path: Path) -> None:
    facts = good().facts
    views = tuple(
        view.model_copy(update={"version": "4.4.1"}) for view in facts[RInstallations][0].views
    )
    r = facts[RInstallations][0].model_copy(update={"views": views})
    path = tmp_path / "prod.facts.json"
    path.write_text(with_named(facts, r=(r,)).model_dump_json())
    notes = rebuild_notes(placed(full_plan().model_copy(update={"production": path})))
    assert "R 4.4.1 of production is not available here; the nearest is 4.2.2 (debian-12)" in notes


def test_nothing_is_said_of_a_box_without_production() -> None:
    assert rebuild_notes(placed(full_plan())) == []


def _skipping(plan: Plan) -> Plan:
    packages = RPackages(names=("shiny", "notInDebian"), if_missing="skip")
    r = (plan.r or R()).model_copy(update={"packages": packages})
    apt = ("r-base-core", "r-cran-notindebian", "r-cran-shiny")
    return plan.model_copy(update={"r": r, "apt_packages": apt})


def test_packages_may_be_missing_only_where_the_box_says_so() -> None:
    assert missing_r_packages(_skipping(full_plan()), AVAILABLE) == ("notInDebian",)
    assert missing_r_packages(full_plan(), frozenset()) == ()


def test_a_package_that_is_left_out_stays_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    plan, said = _skipping(full_plan()), list[Event]()
    instance = Instance("left-out")
    wanted = placed(plan)
    instance.write(Record(placement=wanted))
    guest = Guest(wanted, instance, FakeEngine(tmp_path), said.append)
    leave_out_missing(guest, AVAILABLE)
    reduced = guest.plan
    assert reduced.r is not None
    assert reduced.r.packages.names == ("shiny",)
    assert reduced.apt_packages == ("r-base-core", "r-cran-shiny")
    assert reduced.left_out == ("notInDebian",)
    assert [event.text for event in said if isinstance(event, Notice)] == [
        "debian-12 does not have the R package notInDebian: left out"
    ]
    assert as_made(wanted, instance) == guest.placement
