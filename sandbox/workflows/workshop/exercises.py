"""Checks of exercises: agreed to when the workshop opens, run on all seats, kept in a table.

Running them is reading: nothing in a seat changes.
"""

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sandbox.checks.exercise_outcome import ExerciseOutcome
from sandbox.checks.exercises import ExerciseAnswer, ExerciseRun, run_share
from sandbox.checks.results import Outcome
from sandbox.clean import clean
from sandbox.errors import UsageError
from sandbox.files import private_folder, whole_file
from sandbox.plain_file import NotPlainError, read_plain
from sandbox.providers.engine import SshEndpoint
from sandbox.spec.load_workshop import LoadedWorkshop
from sandbox.trust import MAX_CODE_BYTES, HostCode, agreed_code
from sandbox.workflows.context import Context
from sandbox.workflows.workshop.running import RunningWorkshop
from sandbox.workflows.workshop.side_by_side import SeatOutcome, side_by_side
from sandbox.workshop.exercise_results import exercise_results, keep_results
from sandbox.workshop.record import AgreedCheck
from sandbox.workshop.seat_map import Seat
from sandbox.workshop.store import WorkshopStore
from sandbox.workshop.view import ExerciseResult

_LIMIT_S: Final = 150.0
_LONGEST: Final = 500
_PER_CPU: Final = 2
_MOST_WORDS: Final = 3


def agree_checks(loaded: LoadedWorkshop, context: Context, folder: Path) -> tuple[AgreedCheck, ...]:
    """Get agreement to the checks of the exercises, and copy their bytes into `folder`.

    Raises:
        UsageError: one is not agreed to, or no plain file: none of them may be run.
    """
    said = loaded.workshop.exercises
    paths = [loaded.file_at("exercises", at, "check") for at in range(len(said))]
    code = agreed_code(paths, loaded.path, f"the exercises of {loaded.name}", context.consent)
    if len(code) != len(said):
        raise UsageError("a check of an exercise is not there any more")
    return tuple(
        AgreedCheck(exercise=one.name, file=_kept(found, folder), sha256=found.sha256)
        for one, found in zip(said, code, strict=True)
    )


def results(store: WorkshopStore) -> Mapping[int, Mapping[str, ExerciseResult]]:
    """Read how the checks ended last, by the number of the seat and the exercise's name."""
    return exercise_results(store).seats


def run_exercises(
    ws: RunningWorkshop, numbers: Iterable[int] | None = None
) -> Mapping[int, Mapping[str, ExerciseResult]]:
    """Run all exercises' checks in these seats, or in all that have a machine; keep the results.

    Raises:
        UsageError: the workshop has no exercises, there is no such seat, or a check is not the one
            that was agreed to any more.
    """
    if not ws.record.checks:
        raise UsageError(
            f"the workshop {ws.name} has no exercises",
            hint="name them in its file under `exercises:`, and run `up` again",
        )
    wanted = None if numbers is None else frozenset(ws.seat(one).number for one in numbers)
    seats = [
        one for one in ws.map().seats if one.generation and (wanted is None or one.number in wanted)
    ]
    with ws.store.hold("exercises"):
        code = tuple(_agreed(ws, one) for one in ws.record.checks)
        at_once = _PER_CPU * (os.cpu_count() or 1)
        logins = side_by_side(seats, lambda seat: _login(ws, seat), at_once=at_once)
        by_machine = {one.result[0]: one.result[1] for one in logins if one.result is not None}
        shares = [dict(list(by_machine.items())[at::at_once]) for at in range(at_once)]
        answers = side_by_side(
            [(at, share) for at, share in enumerate(shares) if share],
            lambda pair: _run_share(ws, *pair, code),
            at_once=at_once,
        )
    found = {one.item.number: _results_of(ws, one, answers) for one in logins}
    keep_results(ws.store, found)
    return found


def _kept(code: HostCode, folder: Path) -> str:
    name = f"{code.sha256[:16]}.py"
    with whole_file(folder / name) as fresh:
        fresh.write_bytes(code.content)
    return name


def _agreed(ws: RunningWorkshop, check: AgreedCheck) -> HostCode:
    """The very bytes that somebody agreed to."""
    path = ws.store.part("checks") / check.file
    try:
        code = HostCode(path, read_plain(path, max_bytes=MAX_CODE_BYTES, follow=False))
    except NotPlainError as error:
        raise UsageError(
            f"the check of {check.exercise} cannot be read: {error}",
            hint=f"sandbox workshop up {ws.record.path}",
        ) from None
    if code.sha256 != check.sha256:
        raise UsageError(
            f"the check of {check.exercise} is not the one that was agreed to",
            hint=f"sandbox workshop up {ws.record.path}",
        )
    return code


def _login(ws: RunningWorkshop, seat: Seat) -> tuple[str, SshEndpoint]:
    machine = ws.map().instance_of(seat)
    return machine, ws.seats.ssh_endpoint(machine)


def _run_share(
    ws: RunningWorkshop, at: int, endpoints: Mapping[str, SshEndpoint], code: Sequence[HostCode]
) -> ExerciseAnswer:
    # A folder for each share: each finds its own leftovers, and none those of another
    place = private_folder(ws.store.part("runs") / str(at), ws.store.folder)
    with whole_file(place / "id_ed25519") as fresh:
        shutil.copyfile(ws.store.folder / "id_ed25519", fresh)
        fresh.chmod(0o600)
    log = ws.store.part("logs") / f"exercises-{at}.log"
    log.unlink(missing_ok=True)
    run = ExerciseRun(place, endpoints, ws.workshop.user, log, ws.name)
    return run_share(run, code, limit_s=_LIMIT_S)


def _results_of(
    ws: RunningWorkshop,
    login: SeatOutcome[Seat, tuple[str, SshEndpoint]],
    answers: Sequence[SeatOutcome[tuple[int, dict[str, SshEndpoint]], ExerciseAnswer]],
) -> Mapping[str, ExerciseResult]:
    now = datetime.now(UTC)
    names = [one.exercise for one in ws.record.checks]
    if login.result is None:
        why = login.error.message if login.error is not None else "it does not answer"
        return {name: ExerciseResult(holds=None, words=_short(why), at=now) for name in names}
    machine = login.result[0]
    share = next(one for one in answers if machine in one.item[1])
    answer = share.result or ExerciseAnswer((), share.error.message if share.error else "")
    ours = [one for one in answer.outcomes if one.host in {"", machine}]
    return {
        name: _result([one for one in ours if one.exercise == at], answer.trouble, now)
        for at, name in enumerate(names)
    }


def _result(outcomes: Sequence[ExerciseOutcome], trouble: str, now: datetime) -> ExerciseResult:
    ended = {end: [one.words for one in outcomes if one.end is end] for end in Outcome}
    if not outcomes:
        words = trouble or "it has no tests"
        return ExerciseResult(holds=None, words=_short(words), at=now)
    if failed := ended[Outcome.FAILED]:
        return ExerciseResult(
            holds=False, words=_short("; ".join(dict.fromkeys(failed[:_MOST_WORDS]))), at=now
        )
    if errors := ended[Outcome.ERROR]:
        return ExerciseResult(holds=None, words=_short(errors[0]), at=now)
    if trouble:
        # Some tests have passed, and nobody knows what the others would have said
        return ExerciseResult(holds=None, words=_short(trouble), at=now)
    return ExerciseResult(holds=True, at=now)


def _short(words: str) -> str:
    return clean(words)[:_LONGEST]
