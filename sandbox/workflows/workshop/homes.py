"""Copies of the seats' homes on this host: taken, kept, set aside, and laid into a machine again.

The newest copy of a seat is replaced in one moment, and only by a newer one: what fails, is too
large, or comes from a machine that no longer is the seat, changes nothing.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sandbox.errors import ProviderError, SandboxError, UsageError
from sandbox.events import Notice
from sandbox.files import fresh_file, sweep, whole_file
from sandbox.workflows.workshop.holding import USUAL_S, hold_seat
from sandbox.workflows.workshop.pace import at_once
from sandbox.workflows.workshop.running import RunningWorkshop
from sandbox.workflows.workshop.side_by_side import SeatOutcome, side_by_side
from sandbox.workshop.home_notes import HomeNote, home_notes, note_home
from sandbox.workshop.homes import (
    LAY_HOME,
    PARTLY,
    SAVE_HOME,
    SCRIPT_S,
    TOO_LARGE,
    UNCHANGED,
    HomeLook,
    is_whole,
    look_said,
    save_words,
    sha256_of,
)
from sandbox.workshop.names import seat_word
from sandbox.workshop.seat_map import Seat, label_of
from sandbox.workshop.stillness import GO_ON, MOVING_S, STAND_STILL, still_words

KEPT_ASIDE: Final = 5
"""Older copies of one seat that stay; the oldest goes when there is one more."""
_MEGABYTE: Final = 1024 * 1024
_LAST_CHARS: Final = 300
_GO_ON_S: Final = 30.0


@dataclass(frozen=True)
class SavedHome:
    """A copy of a home, on this host."""

    file: Path
    size_bytes: int
    sha256: str
    at: datetime
    """The home was so at this moment, or has not changed since."""


@dataclass(frozen=True)
class _Taken:
    """What came out of a seat."""

    look: HomeLook | None
    is_unchanged: bool = False


@dataclass(frozen=True)
class _CopyWish:
    """What is to come out of a seat."""

    into: Path
    max_mb: int
    since: int = 0
    still_s: int = 0


class HomeTooLargeError(ProviderError):
    """The home has more than may be copied."""


def save_home(
    ws: RunningWorkshop, number: int, *, set_aside: str = "", still_s: int = 0
) -> SavedHome:
    """Copy the home of a seat to this host, unless nothing in it has changed since the last copy.

    Args:
        ws: the workshop.
        number: the seat's.
        set_aside: keep the copy also under a name with this word in it, such as `before-reset`.
        still_s: stop first, for so long, all that runs in its machine: nothing is written after
            the copy, until `go_on`.

    Raises:
        UsageError: there is no such seat, or it has no machine.
        MemberLostError, ProviderError: no copy came; the one of before stays as it is, and its
            note says why there is no newer one.
    """
    with ws.store.hold(f"{seat_word(number)}.home"):
        seat = _with_machine(ws, number)
        try:
            saved = _save(ws, seat, still_s=still_s)
        except ProviderError as error:
            _note_trouble(ws, number, error)
            raise
        finally:
            if set_aside:
                _keep_aside(ws, seat, set_aside)
        return saved


def save_homes(
    ws: RunningWorkshop, numbers: Iterable[int] | None = None
) -> tuple[SeatOutcome[int, SavedHome], ...]:
    """Copy the homes of these seats, or of all that have a machine; a few at a time.

    A seat at which another command is at work is left out: it is copied the next time. So is one
    whose server does not answer.
    """
    seats = [one for one in ws.map().seats if one.generation]
    if numbers is not None:
        wanted = frozenset(numbers)
        seats = [one for one in seats if one.number in wanted]
    offline = {one.name for one in ws.seats.members() if not one.online}
    for one in seats:
        if one.member in offline:
            error = ProviderError(f"{one.member} does not answer")
            _note_trouble(ws, one.number, error)
    here = [one.number for one in seats if one.member not in offline]
    return side_by_side(
        here, lambda number: save_in_turn(ws, number, wait_s=0), at_once=at_once(ws)
    )


def save_in_turn(
    ws: RunningWorkshop, number: int, *, wait_s: float = USUAL_S, still_s: int = 0
) -> SavedHome:
    """Do as `save_home` does, while no other command is at the seat.

    Raises:
        BusyError: another command has been at it for so long.
        SandboxError: as in `save_home`.
    """
    with hold_seat(ws, number, wait_s=wait_s):
        return save_home(ws, number, still_s=still_s)


def go_on(ws: RunningWorkshop, machine: str) -> None:
    """Let all go on in a machine that `still_s` has stopped; where that fails, it does so later."""
    with suppress(SandboxError):
        ws.seats.run(machine, ("sh", "-c", GO_ON), timeout_s=_GO_ON_S)


def lay_home(ws: RunningWorkshop, machine: str, archive: Path) -> None:
    """Unpack a copy of a home in a machine, as the account itself.

    What cannot be laid (there is no room; something else is in its place) is said, and the rest is
    there. From now on the seat's newest copy stands for this machine's home too.

    Raises:
        MemberLostError, ProviderError: nothing could be laid.
    """
    done = ws.seats.run(
        machine,
        ("sh", "-c", LAY_HOME, "sh", ws.workshop.user),
        timeout_s=SCRIPT_S,
        stdin=archive,
        check=False,
    )
    label = label_of(machine)
    if done.returncode == PARTLY:
        if label is not None:
            # The next copy of this machine is no heir of all that is in the archive
            _link_aside(ws, archive, label.seat, label.generation, "not-all-laid")
        text = f"not all of {archive.name} is in {machine}: {done.stderr[-_LAST_CHARS:].strip()}"
        ws.listener(Notice(ws.name, text))
    elif done.returncode:
        raise ProviderError(
            f"the home of {archive.name} cannot be laid into {machine}",
            details=done.stderr[-_LAST_CHARS:].strip(),
        )
    if label is not None and archive == ws.store.home_of(label.seat):
        note_home(ws.store, label.seat, lambda note: _stands_for(note, label.generation))


def still_counts(ws: RunningWorkshop, number: int, generation: int) -> None:
    """Let the newest copy stand for a machine, too, that has all that is in it, and more."""
    if ws.store.home_of(number).is_file():
        note_home(ws.store, number, lambda note: _stands_for(note, generation))


def home_for(ws: RunningWorkshop, seat: Seat) -> SavedHome | None:
    """Return the copy from which the seat's present machine can be replaced; None without one.

    A copy of an earlier machine does not count when the seat began anew after it: by a reset, for
    another person.
    """
    file, note = ws.store.home_of(seat.number), home_notes(ws.store).of(seat.number)
    if not file.is_file() or (note.generation and note.generation < seat.generation):
        return None
    found = file.stat()
    at = note.seen_at or datetime.fromtimestamp(found.st_mtime, UTC)
    return SavedHome(file, found.st_size, note.sha256, at)


def set_aside(ws: RunningWorkshop, number: int | None = None) -> Mapping[int, tuple[Path, ...]]:
    """List the older copies that were kept, by seat, the newest first."""
    seats = [one.number for one in ws.map().seats if number in (None, one.number)]
    return {one: found for one in seats if (found := _aside_of(ws, one))}


def put_back(ws: RunningWorkshop, number: int, name: str) -> Path:
    """Lay a copy that was set aside into the seat's machine, over what is there; return its file.

    What is there now is set aside first.

    Raises:
        UsageError: there is no such copy, or the seat has no machine.
        MemberLostError, ProviderError: the present home cannot be saved, or the copy not be laid.
    """
    with ws.store.working(number):
        seat = _with_machine(ws, number)
        found = {one.name: one for one in (*_aside_of(ws, number), ws.store.home_of(number))}
        if name not in found or not found[name].is_file():
            raise UsageError(
                f"there is no copy {name} of {seat_word(number)}",
                details="\n".join(one for one in sorted(found) if found[one].is_file()),
                hint=f"sandbox workshop homes {ws.name}",
            )
        # A link of our own: setting aside may let go of the very copy that is wanted
        with fresh_file(found[name].with_name(f"{name}.put-back")) as archive:
            os.link(found[name], archive)
            machine = ws.map().instance_of(seat)
            try:
                # What is written between the two would be in no copy
                save_home(ws, number, set_aside="before-put-back", still_s=MOVING_S)
                lay_home(ws, machine, archive)
            finally:
                go_on(ws, machine)
        return found[name]


def take_home(
    ws: RunningWorkshop, machine: str, into: Path, *, max_mb: int, still_s: int = 0
) -> HomeLook | None:
    """Write the home in a machine to a file, whole; the caller gives the file its name.

    With `still_s`, all that runs there is stopped first, as in `save_home`.

    Raises:
        HomeTooLargeError: it has more than `max_mb`.
        MemberLostError, ProviderError: it cannot be read.
    """
    return _take(ws, machine, _CopyWish(into, max_mb, still_s=still_s)).look


def keep_returned(ws: RunningWorkshop, machine: str, number: int, generation: int) -> Path:
    """Save the home of an old machine that came back, beside the seat's own copies.

    All that runs there is stopped: it may be removed after it.

    Raises:
        HomeTooLargeError, MemberLostError, ProviderError: it cannot be read.
    """
    file = _aside_name(ws, number, generation, "returned")
    with whole_file(file) as fresh:
        most_mb = ws.workshop.copies.max_mb
        take_home(ws, machine, fresh, max_mb=most_mb, still_s=MOVING_S)
    _keep_newest(ws, number)
    return file


def _with_machine(ws: RunningWorkshop, number: int) -> Seat:
    seat = ws.seat(number)
    if not seat.generation:
        raise UsageError(
            f"{seat_word(number)} has no machine yet",
            hint=f"sandbox workshop reset {ws.name} {seat_word(number)}",
        )
    return seat


def _save(ws: RunningWorkshop, seat: Seat, *, still_s: int) -> SavedHome:
    file, machine = ws.store.home_of(seat.number), ws.map().instance_of(seat)
    note = home_notes(ws.store).of(seat.number)
    since = note.clock if note.machine == machine and file.is_file() else 0
    began, sum_of_new, size_bytes = datetime.now(UTC), note.sha256, note.size_bytes
    sweep(file)
    with fresh_file(file) as fresh:
        wanted = _CopyWish(fresh, ws.workshop.copies.max_mb, since=since, still_s=still_s)
        taken = _take(ws, machine, wanted)
        if not taken.is_unchanged:
            sum_of_new, size_bytes = sha256_of(fresh), fresh.stat().st_size
            if ws.seat(seat.number).generation != seat.generation:
                raise ProviderError(f"{machine} is {seat_word(seat.number)} no more")
            fresh.replace(file)
    look = taken.look
    changes = {
        "generation": max(note.generation, seat.generation),
        "machine": machine,
        "clock": look.clock if look is not None else 0,
        "taken_at": note.taken_at if taken.is_unchanged else began,
        "seen_at": began,
        "size_bytes": size_bytes,
        "sha256": sum_of_new,
        "unreadable": look.unreadable if look is not None else 0,
        "trouble": "",
        "trouble_at": None,
    }
    note_home(ws.store, seat.number, lambda one: one.model_copy(update=changes))
    ws.store.change_seat(seat.number, lambda one: one.model_copy(update={"home_saved_at": began}))
    return SavedHome(file, size_bytes, sum_of_new, began)


def _take(ws: RunningWorkshop, machine: str, wanted: _CopyWish) -> _Taken:
    into, max_mb, since = wanted.into, wanted.max_mb, wanted.since
    script, words = SAVE_HOME, save_words(ws.workshop.user, max_mb, since)
    if wanted.still_s:
        script = STAND_STILL + SAVE_HOME
        words = (*still_words(machine, wanted.still_s), *words)
    done = ws.seats.run(
        machine,
        ("sh", "-c", script, "sh", *words),
        timeout_s=SCRIPT_S,
        output=into,
        check=False,
    )
    look = look_said(done.stderr)
    if done.returncode == UNCHANGED and since:
        return _Taken(look, is_unchanged=True)
    size_bytes = into.stat().st_size if into.exists() else 0
    if done.returncode == TOO_LARGE or size_bytes > max_mb * _MEGABYTE:
        much = f"{look.size_mb} MB in {look.files} files" if look is not None else "more"
        raise HomeTooLargeError(
            f"the home has {much}, and at most {max_mb} MB of it are copied",
            hint="raise `copies.max_mb`, or let its person move large files to .cache",
        )
    if done.returncode or not size_bytes or not is_whole(into):
        raise ProviderError(
            f"the home in {machine} cannot be copied",
            details=done.stderr[-_LAST_CHARS:].strip() or "the archive is not whole",
        )
    return _Taken(look)


def _note_trouble(ws: RunningWorkshop, number: int, error: ProviderError) -> None:
    changes = {"trouble": error.message, "trouble_at": datetime.now(UTC)}
    note_home(ws.store, number, lambda note: note.model_copy(update=changes))


def _stands_for(note: HomeNote, generation: int) -> HomeNote:
    return note.model_copy(update={"generation": max(note.generation, generation)})


def _aside_name(ws: RunningWorkshop, number: int, generation: int, word: str) -> Path:
    # By its generation: done again after a crash, it is the same file
    return ws.store.part("homes") / f"{seat_word(number)}-g{generation}-{word}.tar"


def _keep_aside(ws: RunningWorkshop, seat: Seat, word: str) -> None:
    saved = ws.store.home_of(seat.number)
    if saved.is_file():
        _link_aside(ws, saved, seat.number, seat.generation, word)


def _link_aside(ws: RunningWorkshop, file: Path, number: int, generation: int, word: str) -> None:
    with fresh_file(aside := _aside_name(ws, number, generation, word)) as fresh:
        os.link(file, fresh)
        fresh.replace(aside)
    _keep_newest(ws, number)


def _keep_newest(ws: RunningWorkshop, number: int) -> None:
    for one in _aside_of(ws, number)[KEPT_ASIDE:]:
        one.unlink(missing_ok=True)


def _aside_of(ws: RunningWorkshop, number: int) -> tuple[Path, ...]:
    return tuple(sorted(_files_aside(ws, number), key=lambda one: -one.stat().st_mtime))


def _files_aside(ws: RunningWorkshop, number: int) -> Iterator[Path]:
    return ws.store.part("homes").glob(f"{seat_word(number)}-g*-*.tar")
