"""The list of breakages names checks that really exist for boxes/shiny.yml."""

import pytest

from sandbox.checks import correct, safe, snappy, up
from sandbox.paths import data_dir
from sandbox.placement import place
from sandbox.resolving import resolve
from sandbox.spec.load import load_box
from tests.e2e.breakages import BREAKAGES, Breakage


@pytest.fixture(scope="module")
def known() -> set[str]:
    box = load_box(data_dir("boxes") / "shiny.yml")
    plan = place(resolve(box), provider="fake")
    seen = (goal.seen_checks(plan) for goal in (up, safe, correct, snappy))
    live = (goal.live_checks(plan) for goal in (up, snappy))
    return {check.id for made in (*seen, *live) for check in made}


@pytest.mark.parametrize("breakage", BREAKAGES, ids=lambda breakage: breakage.name)
def test_its_checks_exist(breakage: Breakage, known: set[str]) -> None:
    assert breakage.caught_by
    assert set(breakage.caught_by) <= known
    for beginning in breakage.may_also:
        assert any(name.startswith(beginning) for name in known), beginning
    assert breakage.goals


def test_names_are_one_of_a_kind_and_every_goal_but_speed_is_broken() -> None:
    assert len({breakage.name for breakage in BREAKAGES}) == len(BREAKAGES) >= 10
    assert {goal for breakage in BREAKAGES for goal in breakage.goals} == {"up", "safe", "correct"}
