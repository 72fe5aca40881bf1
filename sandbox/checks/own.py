"""A box's own checks: Python of somebody else, run apart from ours.

They run in a pytest process of their own, from copies of the very bytes that were agreed to, with
an environment that holds none of the caller's tokens, and as an ordinary user where `sandbox` runs
as root. What the process leaves is read as what a stranger wrote.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from sandbox.checks.ordinary_user import UnfitError, candidates, fit
from sandbox.checks.pytest_process import PREFIX, PytestProcess, clean_environment, write_settings
from sandbox.checks.request import NO_RESULT, CheckRequest, ResultFolder
from sandbox.checks.results import CheckResult, Goal, Outcome
from sandbox.errors import CommandError
from sandbox.events import Notice
from sandbox.trust import HostCode

_OWN_ID = "box."
_MOST_RESULTS = 10_000
Write = Callable[[Path], tuple[Path, ...]]


def run_own(
    process: PytestProcess, request: CheckRequest, own: tuple[HostCode, ...], *, limit_s: float
) -> tuple[float, tuple[CheckResult, ...]]:
    """Run the box's own checks.

    Args:
        process: how our own checks run; its place is the instance's folder.
        request: as for our own checks.
        own: the code, which somebody has agreed to.
        limit_s: after so long the rest is given up.

    Returns:
        The seconds it took, and what was found: an error for each check that did not run.
    """

    def write(place: Path) -> tuple[Path, ...]:
        ResultFolder(place).write_request(request)
        return write_code(place, own)

    with prepared(process, write) as (ready, files):
        elapsed_s, trouble = ready.run(files, limit_s=limit_s)
        found = _found(ready.place, own, request.goals, trouble)
    return elapsed_s, found


@contextmanager
def prepared(
    process: PytestProcess, write: Write, *, log_in: bool = True
) -> Iterator[tuple[PytestProcess, tuple[Path, ...]]]:
    """Yield the process, fitted to a folder of its own and an ordinary user, and its files.

    Args:
        process: its place is a folder of ours, which says whose leftovers are whose.
        write: writes all that the process reads into a folder, and returns the test files.
        log_in: whether it is tried that the user can log in to the machine.
    """
    folder = process.place
    reason = ""
    for user in candidates():
        # Not below the state folder, which is ours alone
        with _folder(Path(tempfile.gettempdir()), _mark(folder)) as place:
            files = write(place)
            try:
                fitted = fit(replace(process, place=place), user, log_in=log_in)
            except UnfitError as error:
                reason = str(error)
                continue
            with fitted as ready:
                yield ready, files
            return
    if reason:
        text = f"the box's own checks run as root, for no ordinary user can run them: {reason}"
        process.listener(Notice(process.name, text))
    with _folder(folder, PREFIX) as place:
        environment = clean_environment(Path.home(), with_tmpdir=True)
        yield replace(process, place=place, environment=environment), write(place)


def write_code(place: Path, own: tuple[HostCode, ...]) -> tuple[Path, ...]:
    """Write pytest's settings, and copies of the agreed bytes under the files' own names."""
    write_settings(place)
    files = []
    for number, code in enumerate(own):
        # Two files of one name are two files
        copy = place / "own" / str(number) / code.path.name
        copy.parent.mkdir(parents=True)
        copy.write_bytes(code.content)
        files.append(copy)
    return tuple(files)


def _mark(folder: Path) -> str:
    """What the folders outside are called, so that the next run finds those of a killed one."""
    return f"sandbox-{PREFIX}{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}-"


@contextmanager
def _folder(above: Path, prefix: str) -> Iterator[Path]:
    """A folder for one run; gone after, and those of killed runs with it."""
    for leftover in above.glob(f"{prefix}*"):
        if leftover.lstat().st_uid in {os.getuid(), *(user.uid for user in candidates())}:
            shutil.rmtree(leftover, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=above, ignore_cleanup_errors=True) as name:
        yield Path(name)


def _found(
    place: Path, own: tuple[HostCode, ...], goals: tuple[Goal, ...], trouble: CommandError | None
) -> tuple[CheckResult, ...]:
    """What the process says it found: only about itself, and only what can be read as that."""
    folder = ResultFolder(place)
    try:
        collected = folder.read_collected(untrusted=True)
        done = tuple(_ours(folder.read_results(untrusted=True), goals))
    except (ValidationError, ValueError, OSError) as error:
        collected, done = None, ()
        trouble = trouble or CommandError(
            f"they left no results that can be read ({type(error).__name__})", returncode=None
        )
    reason = f"{NO_RESULT}: {trouble.message}" if trouble else NO_RESULT
    if collected is None:
        more = f"\n{trouble.details}" if trouble and trouble.details else ""
        return tuple(_not_run(code, f"{reason}{more}") for code in own)
    known = {one.id for one in done}
    lost = tuple(
        one.model_copy(update={"outcome": Outcome.ERROR, "actual": reason})
        for one in _ours(collected, goals)
        if one.id not in known
    )
    return done + lost


def _ours(results: tuple[CheckResult, ...], goals: tuple[Goal, ...]) -> Iterator[CheckResult]:
    for one in results[:_MOST_RESULTS]:
        if one.id.startswith(_OWN_ID) and one.goal in goals:
            yield one


def _not_run(code: HostCode, actual: str) -> CheckResult:
    return CheckResult(
        id=f"{_OWN_ID}{code.path.stem}",
        goal=Goal.CORRECT,
        title=f"the checks in {code.path.name} can be run",
        outcome=Outcome.ERROR,
        expected="pytest reads the file and runs its checks",
        actual=actual[-2000:],
        why="none of its checks were run",
    )
