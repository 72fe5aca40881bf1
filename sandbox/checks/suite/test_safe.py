"""Goal safe: nobody gets in who should not."""

import pytest

from sandbox.checks import safe
from sandbox.checks.check import Check, Verify
from sandbox.checks.live import CheckedMachine, Seen


@pytest.mark.made_from_plan.with_args(safe.seen_checks)
def test_seen(check: Check[Seen], seen: Seen, verify: Verify) -> None:
    verify(check, seen)


@pytest.mark.made_from_plan.with_args(safe.live_checks)
def test_live(check: Check[CheckedMachine], machine: CheckedMachine, verify: Verify) -> None:
    verify(check, machine)
