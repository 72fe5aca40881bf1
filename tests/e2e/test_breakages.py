"""Break the machine by hand in many ways: the checks that should notice do, and no others."""

import pytest

from tests.e2e.breakages import BREAKAGES, Breakage
from tests.e2e.conftest import Shiny


@pytest.mark.parametrize("breakage", BREAKAGES, ids=lambda breakage: breakage.name)
def test_it_is_noticed_by_the_checks_that_should(shiny: Shiny, breakage: Breakage) -> None:
    goals = [word for goal in breakage.goals for word in ("--goal", goal)]
    quick = ["--quick"] if breakage.quick else []
    shiny.as_root(breakage.breaks)
    try:
        report = shiny.check(*goals, *quick, expect=1)
    finally:
        shiny.as_root(breakage.mends)
    bad = {
        result["id"]: result
        for result in report["results"]
        if result["outcome"] in {"failed", "error"}
    }
    assert set(breakage.caught_by) <= set(bad), sorted(bad)
    others = [
        found
        for found in bad
        if found not in breakage.caught_by and not found.startswith(breakage.may_also or ("-",))
    ]
    assert not others, others
    for found in breakage.caught_by:
        told = bad[found]
        assert told["expected"], told
        assert told["actual"], told
        assert told["why"], told


def test_the_machine_is_whole_again(shiny: Shiny) -> None:
    """Runs last in this file: what was mended by hand is what the box says."""
    shiny.check(expect=0)
