"""The check that each R loads the packages that were fetched for it, at the plan's versions."""

import pytest

from sandbox.checks import correct
from sandbox.checks.check import CannotLook, Check
from sandbox.checks.live import Seen
from sandbox.facts.subjects.r import RInstallations
from sandbox.obtained import Materials, Obtained
from tests.unit.checks.samples import doctored, full_plan, good
from tests.unit.factories import placed


def fetched(name: str, version: str, *, r: str = "4.2.2") -> Obtained:
    return Obtained(
        kind="r_package",
        name=name,
        version=version,
        file_name=f"{name}_{version}.tar.gz",
        url=f"https://cloud.r-project.org/src/contrib/{name}_{version}.tar.gz",
        sha256="0" * 64,
        size_bytes=1,
        r=r,
    )


def checks(*files: Obtained) -> dict[str, Check[Seen]]:
    plan = full_plan().model_copy(update={"materials": Materials(files=files)})
    found = {check.id: check for check in correct.seen_checks(placed(plan))}
    return {id_: check for id_, check in found.items() if id_.startswith("correct.r.library.")}


def there(at: Seen) -> dict[str, str]:
    (r,) = at.facts[RInstallations]
    return {one.name: one.version for one in r.views[0].packages if one.priority != "base"}


def test_without_fetched_packages_there_is_no_such_check() -> None:
    assert checks() == {}
    assert checks(fetched("shiny", "1.0", r="4.0.4")) == {}


def test_the_versions_of_the_plan_pass() -> None:
    (check,) = checks(*(fetched(*one) for one in there(good()).items())).values()
    assert check.look(good()).ok
    assert check.id == "correct.r.library.4.2.2"


def test_another_version_and_a_lost_package_are_named() -> None:
    (check,) = checks(fetched("shiny", "0.0.1"), fetched("vanished", "1.0.0")).values()
    found = check.look(good())
    assert not found.ok
    assert f"shiny is {there(good())['shiny']}, not 0.0.1, in /" in found.actual
    assert "vanished is not there" in found.actual


def test_an_r_that_is_gone_and_one_that_was_not_seen() -> None:
    (check,) = checks(fetched("shiny", "0.0.1")).values()
    assert check.look(doctored(good(), "facts.r", ())).actual == "there is no R in /usr/lib/R"
    (r,) = good().facts[RInstallations]
    with pytest.raises(CannotLook):
        check.look(doctored(good(), "facts.r", (r.model_copy(update={"views": ()}),)))
