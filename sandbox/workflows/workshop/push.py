"""Hand out files to the seats: those of the workshop file, and what the trainer pushes later.

What is handed out is kept in the record, so that a seat that comes later, or anew, gets it too. A
file that a learner changed is never overwritten; that is for the program that runs in the seat.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from sandbox.errors import ProviderError, SandboxError, UsageError
from sandbox.paths import data_dir
from sandbox.spec.load_workshop import LoadedWorkshop
from sandbox.spec.texts import HomePath
from sandbox.workflows.workshop.holding import hold_seat
from sandbox.workflows.workshop.pace import at_once
from sandbox.workflows.workshop.running import RunningWorkshop
from sandbox.workflows.workshop.side_by_side import SeatOutcome, side_by_side
from sandbox.workshop.packing import pack_files
from sandbox.workshop.record import HandedOut, WorkshopRecord
from sandbox.workshop.seat_map import label_of

_PUSH_S: Final = 60.0
_LAST_CHARS: Final = 300
# $1 the account, $2 the folder, $3 the program
_AS_ACCOUNT: Final = """\
exec setpriv --reuid "$1" --regid "$(id -g "$1")" --init-groups --reset-env \\
  timeout 50 python3 -I -c "$3" "$2"
"""


class PushAnswer(BaseModel):
    """What the program in a seat says it did; a stranger could have written it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    written: tuple[str, ...] = ()
    same: tuple[str, ...] = ()
    aside: tuple[tuple[str, str], ...] = ()
    failed: tuple[tuple[str, str], ...] = ()

    def __add__(self, other: "PushAnswer") -> "PushAnswer":
        """Join what was done with one archive and with the next."""
        return PushAnswer(
            written=self.written + other.written,
            same=self.same + other.same,
            aside=self.aside + other.aside,
            failed=self.failed + other.failed,
        )


@dataclass(frozen=True)
class PushedSeat:
    """What came of it in one seat."""

    number: int
    answer: PushAnswer = field(default_factory=PushAnswer)
    error: SandboxError | None = None
    """Why the seat did not get all of it."""

    @property
    def is_whole(self) -> bool:
        """Whether all files are there."""
        return self.error is None and not self.answer.failed


def pack(what: LoadedWorkshop | Sequence[Path], folder: Path) -> tuple[HandedOut, ...]:
    """Pack the files of a workshop file, or of paths, into archives in `folder`.

    Raises:
        UsageError: one is not there, is no plain file or folder, or it is too much.
    """
    if not isinstance(what, LoadedWorkshop):
        return (HandedOut(archive=pack_files(what, folder), to="."),)
    return tuple(
        HandedOut(archive=pack_files([what.file_at("files", at, "path")], folder), to=one.to)
        for at, one in enumerate(what.workshop.files)
    )


def hand_out(ws: RunningWorkshop, machine: str) -> PushAnswer:
    """Lay all files that were handed out so far into the home in a machine.

    Raises:
        MemberLostError, ProviderError: it did not get all of them.
    """
    label = label_of(machine)
    answer = PushAnswer()
    for one in ws.store.require().handed_out:
        if label is None or not one.seats or label.seat in one.seats:
            answer += _lay(ws, machine, one)
    return answer


def push(
    ws: RunningWorkshop, paths: Sequence[Path], to: str = ".", numbers: Iterable[int] | None = None
) -> tuple[PushedSeat, ...]:
    """Hand out files now, to all seats or only to these; return what came of it in each.

    Seats that come later, or anew, get them too. Running it again is right.

    Raises:
        UsageError: a path is not there, is no plain file or folder, it is too much, or there is no
            such seat: nothing was sent.
    """
    _require_home_path(to)
    if not paths:
        raise UsageError("no file is named", hint=f"sandbox workshop push {ws.name} FILE…")
    only = tuple(sorted({ws.seat(one).number for one in numbers})) if numbers is not None else ()
    packed = pack(paths, ws.store.part("files"))
    handed = tuple(one.model_copy(update={"to": to, "seats": only}) for one in packed)
    # Into the record first: a seat that is being made meanwhile gets it there, or below
    ws.store.change_record(lambda record: _with_handed(record, handed))
    targets = [
        one.number
        for one in ws.map().seats
        if one.generation and (numbers is None or one.number in only)
    ]
    outcomes = side_by_side(
        targets, lambda number: _push_to(ws, number, handed), at_once=at_once(ws)
    )
    return tuple(_pushed(one) for one in outcomes)


def _require_home_path(to: str) -> None:
    try:
        TypeAdapter(HomePath).validate_python(to)
    except ValidationError:
        raise UsageError(
            f"`{to}` is no folder below a home",
            hint="say it without a slash at its beginning: --to course/data",
        ) from None


def _with_handed(record: WorkshopRecord, handed: tuple[HandedOut, ...]) -> WorkshopRecord:
    # The newest last: of two versions of one file, the second stays
    before = tuple(one for one in record.handed_out if one not in handed)
    return record.model_copy(update={"handed_out": (*before, *handed)})


def _push_to(ws: RunningWorkshop, number: int, handed: tuple[HandedOut, ...]) -> PushAnswer:
    with hold_seat(ws, number):
        seats = ws.map()
        machine = seats.instance_of(seats.seat(number))
        answer = PushAnswer()
        for one in handed:
            answer += _lay(ws, machine, one)
        return answer


def _lay(ws: RunningWorkshop, machine: str, handed: HandedOut) -> PushAnswer:
    program = (data_dir("templates") / "workshop" / "push.py").read_text(encoding="utf-8")
    done = ws.seats.run(
        machine,
        ("sh", "-c", _AS_ACCOUNT, "sh", ws.workshop.user, handed.to, program),
        timeout_s=_PUSH_S,
        stdin=ws.store.part("files") / handed.archive,
        check=False,
    )
    if done.returncode:
        raise ProviderError(
            f"files cannot be laid into {machine}", details=done.stderr[-_LAST_CHARS:].strip()
        )
    try:
        return PushAnswer.model_validate_json(done.stdout or "{}")
    except ValidationError:
        raise ProviderError(f"{machine} does not say what became of the files") from None


def _pushed(outcome: SeatOutcome[int, PushAnswer]) -> PushedSeat:
    return PushedSeat(outcome.item, outcome.result or PushAnswer(), outcome.error)
