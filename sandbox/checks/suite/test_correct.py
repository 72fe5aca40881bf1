"""Goal correct: the machine is what the box says, and gives right answers."""

import pytest

from sandbox.checks import correct, production
from sandbox.checks.check import Check, Verify
from sandbox.checks.live import CheckedMachine, Seen


@pytest.mark.made_from_plan.with_args(correct.seen_checks)
def test_seen(check: Check[Seen], seen: Seen, verify: Verify) -> None:
    verify(check, seen)


@pytest.mark.made_from_plan.with_args(production.seen_checks)
def test_production(check: Check[Seen], seen: Seen, verify: Verify) -> None:
    verify(check, seen)


@pytest.mark.made_from_plan.with_args(correct.live_checks)
def test_live(check: Check[CheckedMachine], machine: CheckedMachine, verify: Verify) -> None:
    verify(check, machine)
