"""The checks of a machine with several Rs: all there, the default found, and the others set up."""

from typing import Any

import pytest

from sandbox.checks import correct
from sandbox.checks.check import CannotLook, Check, Look
from sandbox.checks.live import Seen
from sandbox.facts import registry
from sandbox.facts.diff import compare
from sandbox.facts.differences import DiffOutcome
from sandbox.facts.r_view import RView
from sandbox.facts.sides import Side, side_of_plan
from sandbox.facts.subjects.r import RInstallation, RInstallations
from sandbox.plan import Plan
from sandbox.spec.r import InstalledR, RPackages
from tests.unit.checks.samples import doctored, full_plan, good
from tests.unit.factories import placed

HOME = "/opt/R/4.4.1/lib/R"


def two_rs() -> Plan:
    """Posit's R is the default; the packages are its own."""
    plan = full_plan()
    assert plan.r is not None
    versions = (
        InstalledR(version="4.4.1", source="posit", default=True),
        InstalledR(version="4.2", packages=RPackages(names=("shiny",))),
    )
    return plan.model_copy(
        update={"r": plan.r.model_copy(update={"versions": versions, "version": None})}
    )


def seen(**changes: Any) -> Seen:
    """A machine that is just so; `changes` are of Debian's R, as a login sees it."""
    found = good()
    (one,) = found.facts[RInstallations]
    newer = {"version": "4.4.1", "home": HOME}
    login, app = (view.model_copy(update=newer) for view in one.views)
    default = RInstallation(
        **newer,
        found_as=("/usr/local/bin/R", "/opt/R/4.4.1", "/opt/R/current", "/usr/local/bin/R-4.4.1"),
        on_path=True,
        views=(login, app),
    )
    debians: tuple[RView, ...] = (one.views[0].model_copy(update=changes),)
    older = one.model_copy(
        update={
            "on_path": False,
            "views": debians,
            "found_as": ("/usr/bin/R", "/usr/lib/R", "/usr/local/bin/R-4.2.2"),
        }
    )
    return doctored(found, "facts.r", (default, older))


def checks(plan: Plan | None = None) -> dict[str, Check[Seen]]:
    return {check.id: check for check in correct.seen_checks(placed(plan or two_rs()))}


def look(id_: str, at: Seen) -> Look:
    return checks()[f"correct.r.{id_}"].look(at)


def of_installations(at: Seen, *rs: RInstallation) -> Seen:
    return doctored(at, "facts.r", rs)


def test_a_machine_as_planned_passes_everything() -> None:
    at = seen()
    failed = {id_: check.look(at) for id_, check in checks().items() if not check.look(at).ok}
    assert failed == {}
    assert "correct.r.one" not in checks()
    assert "correct.r.one" in checks(full_plan())


def test_an_r_that_is_gone_or_too_many() -> None:
    default, debian = seen().facts[RInstallations]
    gone = of_installations(seen(), default)
    assert look("all", gone).actual == f"4.4.1 in {HOME}"
    assert not look("all", gone).ok
    assert look("beside.4.2.2", gone).actual == "there is no R in /usr/lib/R"
    third = default.model_copy(update={"home": "/opt/R/4.0.5/lib/R", "version": "4.0.5"})
    assert not look("all", of_installations(seen(), default, debian, third)).ok


def test_a_login_that_gets_another_r() -> None:
    default, debian = seen().facts[RInstallations]
    on_path = debian.model_copy(update={"on_path": True})
    others = default.model_copy(update={"on_path": False, "views": default.views[1:]})
    found = look("default.login", of_installations(seen(), on_path, others))
    assert (found.ok, found.actual) == (False, "/usr/lib/R")
    assert look("default.app", of_installations(seen(), on_path, others)).ok


def test_a_link_that_is_not_there() -> None:
    default, debian = seen().facts[RInstallations]
    unlinked = default.model_copy(update={"found_as": ("/opt/R/4.4.1",)})
    found = look("links", of_installations(seen(), unlinked, debian))
    assert (found.ok, found.actual) == (False, "/usr/local/bin/R-4.4.1 does not lead there")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"version": "4.2.3"}, "it is R 4.2.3"),
        ({"startup_error": "Error in options(x = )"}, "Error in options(x = )"),
        ({"options": {"digits": "7L"}}, "option OutDec"),
        ({"repos": {}}, "repository CRAN"),
        ({"repos": {"CRAN": "https://elsewhere.example.org"}}, "repository CRAN"),
    ],
)
def test_another_r_without_the_settings(changes: dict[str, object], said: str) -> None:
    found = look("beside.4.2.2", seen(**changes))
    assert not found.ok
    assert said in found.actual


def test_an_r_that_was_not_seen_is_no_failure() -> None:
    default, debian = seen().facts[RInstallations]
    unseen = debian.model_copy(update={"views": ()})
    with pytest.raises(CannotLook):
        look("beside.4.2.2", of_installations(seen(), default, unseen))


def test_the_others_packages_do_not_count_for_the_default() -> None:
    assert look("package.plumber", seen(packages=())).ok


def test_a_daily_build_has_no_version_to_check() -> None:
    plan = two_rs()
    assert plan.r is not None
    moving = plan.r.model_copy(update={"versions": (InstalledR(version="devel", source="posit"),)})
    ids = checks(plan.model_copy(update={"r": moving}))
    assert not [id_ for id_ in ids if id_.startswith("correct.r.version")]
    assert "correct.r.default.login" in ids


def compared(plan: Plan, at: Seen) -> dict[str, DiffOutcome]:
    kinds = [registry.kind(id_) for id_ in ("r.version", "r.home", "r.all")]
    box = side_of_plan(plan, at.hashes)
    found = compare(box, Side(name="machine", facts=at.facts), kinds=kinds)
    return {fact.id: fact.outcome for fact in found.facts}


def test_a_diff_knows_every_r() -> None:
    assert set(compared(two_rs(), seen()).values()) == {DiffOutcome.EQUAL}
    assert {"r.version", "r.home", "r.all"} == set(compared(two_rs(), seen()))
    default, _ = seen().facts[RInstallations]
    alone = of_installations(seen(), default)
    assert compared(two_rs(), alone)["r.all"] is DiffOutcome.DIFFERS


def test_of_debians_r_alone_only_the_version_is_stated() -> None:
    assert compared(full_plan(), good())["r.all"] is DiffOutcome.NOT_COMPARABLE
