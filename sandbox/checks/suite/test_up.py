"""Goal up: services run, answer with their real page, start sessions, and come back when killed."""

import pytest

from sandbox.checks import up
from sandbox.checks.check import Check, Verify
from sandbox.checks.live import CheckedMachine, Seen


@pytest.mark.made_from_plan.with_args(up.seen_checks)
def test_seen(check: Check[Seen], seen: Seen, verify: Verify) -> None:
    verify(check, seen)


@pytest.mark.made_from_plan.with_args(up.live_checks)
def test_live(check: Check[CheckedMachine], machine: CheckedMachine, verify: Verify) -> None:
    verify(check, machine)
