"""The checks of a machine that came whole from a baked image: what a clone could lack.

The same statements, looked at in the same way, as `runner` does; but in this process, for starting
pytest takes longer than all the looking. A box's own checks, and all that is in the image byte by
byte, were done before that was baked.
"""

import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sandbox.checks import inspection, rstudio_state, safe, snappy, up
from sandbox.checks.check import CannotLook, Check, Look, NothingToLookAt
from sandbox.checks.live import LiveMachine, RstudioRun, Seen
from sandbox.checks.request import own_key
from sandbox.checks.results import CheckReport, CheckResult, Outcome
from sandbox.errors import CommandError
from sandbox.facts.facts import Facts
from sandbox.placement import Placement
from sandbox.run import Completed
from sandbox.ssh import SshTarget

_COMMAND_S = 60.0
_LONGEST = 2000
_SSH_FAILED = 255


class _Done:
    """A command's end, with the names that testinfra gives it."""

    def __init__(self, done: Completed) -> None:
        self.rc = done.returncode
        self.stdout = done.stdout
        self.stderr = done.stderr


def run_quick(
    placement: Placement, machine: LiveMachine, facts: Facts, folder: Path
) -> CheckReport:
    """Look at what is up, who gets in, and how large it is; ends no process on the machine.

    Args:
        placement: what the machine must be.
        machine: how to reach it, from `live_machine`.
        facts: what the probe has just seen; R need not have been asked.
        folder: the instance's folder.
    """
    started = time.monotonic()
    seen: Seen | CannotLook
    try:
        answer = machine.sudo(inspection.inspection_script(placement.plan))
        inspected = inspection.parse_inspection(answer).without(machine.rstudio.accounts)
        seen = Seen(facts, inspected, own_key(folder))
    except (CannotLook, ValueError) as error:
        seen = CannotLook(str(error))
    results = tuple(_result(check, evidence) for check, evidence in _all(placement, seen, machine))
    return CheckReport(
        sandbox=placement.name,
        box=placement.plan.box_name,
        plan_key=placement.key,
        elapsed_s=round(time.monotonic() - started, 3),
        results=results,
    )


def run_live(
    placement: Placement, ids: Sequence[str], target: SshTarget, base_url: str
) -> CheckReport:
    """Run only these checks of the live machine; the caller knows that they end no process."""
    started = time.monotonic()
    machine = live_machine(target, base_url)
    results = tuple(_result(one, machine) for one in up.live_checks(placement) if one.id in ids)
    return CheckReport(
        sandbox=placement.name,
        box=placement.plan.box_name,
        plan_key=placement.key,
        elapsed_s=round(time.monotonic() - started, 3),
        results=results,
    )


def live_machine(
    target: SshTarget, base_url: str, urls: Mapping[str, str] | None = None
) -> LiveMachine:
    """Return the machine for checks that run in this process."""

    def run(command: str, *words: str) -> _Done:
        line = command % tuple(shlex.quote(word) for word in words)
        try:
            done = target.run(("sh", "-c", line), timeout_s=_COMMAND_S, check=False)
        except CommandError as error:
            raise CannotLook(error.message) from error
        if done.returncode == _SSH_FAILED:
            raise CannotLook(f"ssh to the machine failed: {done.stderr.strip()}")
        return _Done(done)

    # No check that runs in this process compares R in a session with R in a login
    return LiveMachine(base_url, run, urls=urls, rstudio=RstudioRun(asks_login=False))


def _all(
    placement: Placement, seen: Seen | CannotLook, machine: LiveMachine
) -> Iterator[tuple[Check[Any], object]]:
    for check in up.seen_checks(placement):
        yield check, seen
    for live in up.live_checks(placement):
        yield live, machine
    for own in rstudio_state.clone_checks(placement):
        yield own, machine
    for check in (*safe.seen_checks(placement), *snappy.seen_checks(placement)):
        yield check, seen


def _result(check: Check[Any], evidence: object) -> CheckResult:
    started = time.monotonic()
    outcome, look = _look(check, evidence)
    return CheckResult(
        id=check.id,
        goal=check.goal,
        title=check.title,
        outcome=outcome,
        expected=check.expected,
        actual=look.actual[:_LONGEST],
        why=check.why,
        fix=look.fix or check.fix,
        elapsed_s=round(time.monotonic() - started, 3),
    )


def _look(check: Check[Any], evidence: object) -> tuple[Outcome, Look]:
    if check.disturbs:
        reason = "left out, because it would end processes on the machine (--quick)"
        return Outcome.SKIPPED, Look(ok=False, actual=reason)
    if isinstance(evidence, CannotLook):
        return Outcome.ERROR, Look(ok=False, actual=str(evidence))
    try:
        look = check.look(evidence)
    except NothingToLookAt as reason:
        return Outcome.SKIPPED, Look(ok=False, actual=str(reason))
    except CannotLook as reason:
        return Outcome.ERROR, Look(ok=False, actual=str(reason))
    except Exception as error:  # noqa: BLE001  (one check that breaks must not hide the others)
        return Outcome.ERROR, Look(ok=False, actual=f"{type(error).__name__}: {error}")
    return (Outcome.PASSED if look.ok else Outcome.FAILED), look
