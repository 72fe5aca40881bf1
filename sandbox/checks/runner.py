"""Runs the checks: testinfra tests in a pytest process of their own, over ssh."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox.checks.live import is_emulated
from sandbox.checks.request import NO_RESULT, CheckRequest, ResultFolder
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


def run_checks(
    request: CheckRequest,
    target: SshTarget,
    folder: Path,
    listener: Listener,
    *,
    timeout_s: float | None = None,
) -> CheckReport:
    """Verify the live machine against its plan.

    Args:
        request: what is to be checked, and what is known already.
        target: how to reach it by ssh; its login must be able to become root by sudo.
        folder: the instance's folder; the log goes to `logs/check.log` in it.
        listener: told every line of pytest's output.
        timeout_s: after so long the rest is given up and reported as errors.

    Raises:
        SandboxError: pytest itself could not run; details have its words.
    """
    plan = request.plan
    limit_s = timeout_s if timeout_s is not None else _limit_s(plan, request.facts)
    log = folder / "logs" / "check.log"
    files = tuple(path for path in plan.check_files if path.is_file())
    with _place(request, folder) as place:
        argv = _argv(target, place, request.goals, files)
        elapsed_s, trouble = _pytest(argv, place, log, limit_s, plan.name, listener)
        found = _merge(ResultFolder(place), request.goals, trouble, log)
    missing = [path for path in plan.check_files if path not in files]
    if Goal.CORRECT in request.goals:
        found += tuple(_missing(path) for path in missing)
    return CheckReport(
        sandbox=plan.name,
        box=plan.box_name,
        plan_key=plan.key,
        elapsed_s=round(elapsed_s, 3),
        results=found,
    )


@contextmanager
def _place(request: CheckRequest, folder: Path) -> Iterator[Path]:
    """A folder for one run, with all that pytest needs in it; gone after."""
    for leftover in folder.glob(f"{_PREFIX}*"):
        # Of a run that was killed; whoever checks holds the instance's lock
        shutil.rmtree(leftover, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=folder) as name:
        place = Path(name)
        ResultFolder(place).write_request(request)
        (place / "pytest.ini").write_text(_INI)
        yield place


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
