"""Run the checks of exercises on many machines at once: one pytest process for a share of them.

The code was agreed to; it runs apart from ours as a box's own checks do (`own`), and what it leaves
is read as what a stranger wrote.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from sandbox.checks.exercise_outcome import ExerciseOutcome
from sandbox.checks.exercise_request import OUTCOMES, REQUEST, ExerciseRequest
from sandbox.checks.own import prepared, write_code
from sandbox.checks.pytest_process import PytestProcess
from sandbox.events import ignore
from sandbox.files import write_whole
from sandbox.plain_file import NotPlainError, read_plain
from sandbox.providers.engine import SshEndpoint
from sandbox.ssh import write_configs
from sandbox.trust import HostCode

_PLUGIN: Final = "sandbox.checks.exercise_plugin"
_MAX_BYTES: Final = 16 * 1024 * 1024


@dataclass(frozen=True)
class ExerciseRun:
    """A share of the machines, and where its process works."""

    place: Path
    """A private folder for this share, with the login key in it."""
    endpoints: Mapping[str, SshEndpoint]
    """By machine: how to log in."""
    user: str
    """The learner's account."""
    log: Path
    name: str
    """The workshop's."""


@dataclass(frozen=True)
class ExerciseAnswer:
    """What came of one share."""

    outcomes: tuple[ExerciseOutcome, ...]
    trouble: str = ""
    """What went wrong with pytest itself."""


def run_share(of: ExerciseRun, code: Sequence[HostCode], *, limit_s: float) -> ExerciseAnswer:
    """Run all checks on all machines of a share, one after the other."""
    target = write_configs(of.place, of.endpoints)[0]
    process = PytestProcess(
        place=of.place,
        target=target,
        log=of.log,
        name=of.name,
        listener=ignore,
        plugin=_PLUGIN,
        hosts=tuple(of.endpoints),
    )

    def write(place: Path) -> tuple[Path, ...]:
        write_whole(place / REQUEST, ExerciseRequest(user=of.user).model_dump_json())
        return write_code(place, tuple(code))

    with prepared(process, write, log_in=False) as (ready, files):
        _, trouble = ready.run(files, limit_s=limit_s)
        outcomes, unread = _read(ready.place / OUTCOMES)
    return ExerciseAnswer(outcomes, trouble.message if trouble is not None else unread)


def _read(path: Path) -> tuple[tuple[ExerciseOutcome, ...], str]:
    if not path.exists() and not path.is_symlink():
        return (), "no check has ended"
    try:
        text = read_plain(path, max_bytes=_MAX_BYTES, follow=False).decode()
        # A process that was ended may have left half a line
        lines = text.split("\n")[:-1]
        return tuple(ExerciseOutcome.model_validate_json(one) for one in lines), ""
    except (NotPlainError, ValidationError, ValueError, OSError) as error:
        return (), f"what the checks left cannot be read ({type(error).__name__})"
