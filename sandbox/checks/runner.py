"""Runs the checks: testinfra tests in a pytest process of their own, over ssh."""

import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from sandbox.checks.live import is_emulated
from sandbox.checks.request import NO_RESULT, CheckRequest, ResultFolder, own_key
from sandbox.checks.results import CheckReport, CheckResult, Goal, Outcome
from sandbox.engines.base import patient
from sandbox.errors import CommandError, SandboxError
from sandbox.events import Listener, StepOutput
from sandbox.plan import Plan
from sandbox.probe.facts import Facts
from sandbox.run import Completed, run
from sandbox.ssh import SshTarget

SUITE = Path(__file__).resolve().parent / "suite"
_INI = """\
[pytest]
minversion = 8.0
python_files = test_*.py
empty_parameter_set_mark = skip
"""
_PREFIX = "check-"
_RAN = (0, 1, 5)
"""pytest's exit statuses for: all passed, some failed, there was nothing to do."""


def run_checks(  # noqa: PLR0917  (a workflow hands on what it holds, in this order)
    plan: Plan,
    target: SshTarget,
    base_url: str,
    facts: Facts,
    folder: Path,
    listener: Listener,
    *,
    production: Facts | None = None,
    goals: Sequence[Goal] = (),
    quick: bool = False,
    timeout_s: float | None = None,
) -> CheckReport:
    """Verify the live machine against its plan.

    Args:
        plan: what the machine must be.
        target: how to reach it by ssh; its login must be able to become root by sudo.
        base_url: `http://HOST:PORT` of its Shiny Server as seen from here; empty without one.
        facts: what the probe has just seen, the plan's packages loaded.
        folder: the instance's folder; the log goes to `logs/check.log` in it.
        listener: told every line of pytest's output.
        production: the facts of the machine that this one is to be like.
        goals: only these; all when empty.
        quick: leave out the checks that end processes on the machine (reported as skipped).
        timeout_s: after so long the rest is given up and reported as errors.

    Raises:
        SandboxError: pytest itself could not run; details have its words.
    """
    request = CheckRequest(
        plan=plan,
        facts=facts,
        base_url=base_url,
        own_key=own_key(folder),
        production=production,
        goals=tuple(goals) or tuple(Goal),
        quick=quick,
    )
    limit_s = timeout_s if timeout_s is not None else _limit_s(plan, facts)
    log = folder / "logs" / "check.log"
    for leftover in folder.glob(f"{_PREFIX}*"):
        # Of a run that was killed; whoever checks holds the instance's lock
        shutil.rmtree(leftover, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=folder) as place:
        results = ResultFolder(Path(place))
        results.write_request(request)
        (Path(place) / "pytest.ini").write_text(_INI)
        files = tuple(path for path in plan.check_files if path.is_file())
        argv = _argv(target, Path(place), request.goals, files)
        elapsed_s, trouble = _pytest(argv, Path(place), log, limit_s, plan.name, listener)
        found = _merge(results, request.goals, trouble, log)
    missing = tuple(
        _missing(path)
        for path in plan.check_files
        if path not in files and Goal.CORRECT in request.goals
    )
    return CheckReport(
        sandbox=plan.name,
        box=plan.box_name,
        plan_key=plan.key,
        elapsed_s=round(elapsed_s, 3),
        results=found + missing,
    )


def _limit_s(plan: Plan, facts: Facts) -> float:
    return patient(120.0 + 60.0 * len(plan.apps), emulated=is_emulated(facts))


def _argv(
    target: SshTarget, place: Path, goals: tuple[Goal, ...], files: tuple[Path, ...]
) -> tuple[str | Path, ...]:
    suite = tuple(SUITE / f"test_{goal}.py" for goal in Goal if goal in goals)
    config = (f"--ssh-config={target.config}",) if target.config is not None else ()
    return (
        sys.executable,
        "-P",
        *("-m", "pytest"),
        # Only what is named here: nothing of the user's own pytest set-up
        *("-c", place / "pytest.ini", "--rootdir", place, "--noconftest"),
        *("-p", "testinfra.plugin", "-p", "sandbox.checks.plugin", "-p", "no:cacheprovider"),
        *("--import-mode=importlib", "--basetemp", place / "tmp"),
        *("-v", "--tb=short", "--color=no", "--continue-on-collection-errors"),
        f"--sandbox-folder={place}",
        # testinfra's default is paramiko, which does not read all that is in an ssh_config
        f"--hosts=ssh://{target.host}",
        *config,
        *suite,
        *files,
    )


_ENVIRONMENT = {
    "PYTEST_ADDOPTS": "",
    "PYTEST_PLUGINS": "",
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    # No __pycache__ beside a box's own test files
    "PYTHONDONTWRITEBYTECODE": "1",
}


def _pytest(  # noqa: PLR0917
    argv: tuple[str | Path, ...],
    place: Path,
    log: Path,
    limit_s: float,
    name: str,
    listener: Listener,
) -> tuple[float, CommandError | None]:
    """Run it; the seconds it took, and what went wrong with pytest itself."""
    try:
        done: Completed = run(
            argv,
            timeout_s=limit_s,
            env=_ENVIRONMENT,
            cwd=place,
            log=log,
            on_line=lambda line: listener(StepOutput(name, line)),
            check=False,
        )
    except CommandError as error:
        return limit_s, error
    if done.returncode in _RAN:
        return done.elapsed_s, None
    tail = "\n".join((done.stdout + done.stderr).splitlines()[-30:])
    trouble = CommandError(
        f"pytest ended with exit status {done.returncode}",
        returncode=done.returncode,
        details=tail,
    )
    return done.elapsed_s, trouble


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
        actual="there is no such file",
        why="none of its checks were run",
    )
