"""Runs the checks: testinfra tests in a pytest process of their own, over ssh."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from sandbox.checks.early import EarlyRestart
from sandbox.checks.live import is_emulated
from sandbox.checks.own import run_own
from sandbox.checks.pytest_process import PREFIX, PytestProcess, write_settings
from sandbox.checks.request import NO_RESULT, CheckRequest, ResultFolder
from sandbox.checks.results import CheckReport, CheckResult, Goal, Outcome
from sandbox.errors import CommandError, SandboxError
from sandbox.events import Listener
from sandbox.facts.facts import Facts
from sandbox.plan import Plan
from sandbox.providers.engine import patient
from sandbox.ssh import SshTarget
from sandbox.trust import HostCode

SUITE = Path(__file__).resolve().parent / "suite"


def run_checks(
    request: CheckRequest,
    target: SshTarget,
    folder: Path,
    listener: Listener,
    *,
    own: tuple[HostCode, ...] = (),
    early: EarlyRestart | None = None,
    timeout_s: float | None = None,
) -> CheckReport:
    """Verify the live machine against its plan.

    Args:
        request: what is to be checked, and what is known already.
        target: how to reach it by ssh; its login must be able to become root by sudo.
        folder: the instance's folder; the log goes to `logs/check.log` in it.
        listener: told which check it is at.
        own: the box's own checks that somebody has agreed to; no other file of the box is run.
        early: the kill of Shiny Server, if it has begun already.
        timeout_s: after so long the rest is given up and reported as errors; the box's own checks
            have as long again.

    Raises:
        SandboxError: pytest itself could not run; details have its words.
    """
    placement, plan = request.placement, request.placement.plan
    limit_s = timeout_s if timeout_s is not None else _limit_s(plan, request.facts)
    log = folder / "logs" / "check.log"
    suite = tuple(SUITE / f"test_{goal}.py" for goal in Goal if goal in request.goals)
    process = PytestProcess(folder, target, log, placement.name, listener)
    with _place(request, folder) as place:
        if early is not None and request.early_inspection:
            # At once, if it is over already
            early.outcome.add_done_callback(
                lambda done: ResultFolder(place).write_early(done.result())
            )
        elapsed_s, trouble = replace(process, place=place).run(suite, limit_s=limit_s)
        found = _merge(ResultFolder(place), request.goals, trouble, log)
    if own:
        own_s, own_found = run_own(process, request, own, limit_s=limit_s)
        elapsed_s, found = elapsed_s + own_s, found + own_found
    if Goal.CORRECT in request.goals:
        ran = {code.path for code in own}
        found += tuple(_missing(path) for path in plan.check_files if path.resolve() not in ran)
    return CheckReport(
        sandbox=placement.name,
        box=plan.box_name,
        plan_key=placement.key,
        elapsed_s=round(elapsed_s, 3),
        results=found,
    )


@contextmanager
def _place(request: CheckRequest, folder: Path) -> Iterator[Path]:
    """A folder for one run, with all that pytest needs in it; gone after."""
    for leftover in folder.glob(f"{PREFIX}*"):
        # Of a run that was killed; whoever checks holds the instance's lock
        shutil.rmtree(leftover, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=folder) as name:
        place = Path(name)
        ResultFolder(place).write_request(request)
        write_settings(place)
        yield place


def _limit_s(plan: Plan, facts: Facts) -> float:
    return patient(120.0 + 60.0 * len(plan.apps), emulated=is_emulated(facts))


def _merge(
    folder: ResultFolder, goals: tuple[Goal, ...], trouble: CommandError | None, log: Path
) -> tuple[CheckResult, ...]:
    """What was found, and an error for each check that was to run and did not.

    Raises:
        SandboxError: pytest did not even find out what there is to do.
    """
    collected = folder.read_collected()
    done = tuple(one for one in folder.read_results() if one.goal in goals)
    if collected is None:
        raise SandboxError(
            "the checks could not be run",
            details=trouble.details or trouble.message if trouble else "pytest collected nothing",
            hint=f"the whole output is in {log}",
        )
    reason = f"{NO_RESULT}: {trouble.message}" if trouble else NO_RESULT
    known = {one.id for one in done}
    # In the order of the goals, whatever order they ran in
    place_of = {one.id: number for number, one in enumerate(collected)}
    done = tuple(sorted(done, key=lambda one: place_of.get(one.id, len(place_of))))
    lost = tuple(
        one.model_copy(update={"outcome": Outcome.ERROR, "actual": reason})
        for one in collected
        if one.id not in known
    )
    return done + lost


def _missing(path: Path) -> CheckResult:
    return CheckResult(
        id=f"box.{path.stem}",
        goal=Goal.CORRECT,
        title=f"{path.name} can be read",
        outcome=Outcome.ERROR,
        expected=str(path),
        actual="nobody has agreed to it" if path.exists() else "there is no such file",
        why="none of its checks were run",
    )
