"""Commands on the work in an open workshop: hand out files, collect homes, check exercises."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sandbox.cli.console import Progress, next_steps, say, show, show_json
from sandbox.cli.rows import columns
from sandbox.cli.workshop_named import (
    FolderOption,
    JsonOption,
    OpenName,
    name_and_files,
    name_and_last,
    number_of,
    opened,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sandbox.workflows.workshop.push import PushedSeat
    from sandbox.workflows.workshop.running import RunningWorkshop
    from sandbox.workshop.homes import HomesManifest
    from sandbox.workshop.view import ExerciseResult

SeatOption = Annotated[
    list[str] | None,
    typer.Option("--seat", metavar="SEAT", help="Only this seat: 7 or seat07; can be repeated."),
]
_SHOWN_CHARS = 120


def register_work(group: typer.Typer) -> None:
    """Add these commands to the group of workshops."""
    for name, command in (
        ("push", push),
        ("collect", collect),
        ("exercises", exercises),
        ("homes", homes),
        ("evacuate", evacuate),
    ):
        group.command(name)(command)


def push(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[NAME] FILES...",
            help="Files and folders; NAME may be left out when only one workshop is open.",
            show_default=False,
        ),
    ],
    *,
    to: Annotated[
        str, typer.Option("--to", metavar="FOLDER", help="The folder in each home.")
    ] = ".",
    seat: SeatOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hand out files to all seats, and to those that come later.

    A file that a learner has changed stays; the new one is next to it as NAME.new. A folder keeps
    its name. Running it again is right. Exit 5 when a seat did not get all of it.

    sandbox workshop push exercise2.R --to course

    sandbox workshop push class data/ --seat 07
    """
    from sandbox.errors import ProviderError
    from sandbox.workflows.workshop.push import push as push_files

    with Progress() as progress:
        name, files = name_and_files(words)
        ws = opened(name, progress)
        pushed = push_files(ws, files, to, _numbers(ws, seat))
    if as_json:
        show_json([_pushed_json(one) for one in pushed])
    else:
        _show_pushed(pushed)
    if short := [one for one in pushed if not one.is_whole]:
        raise ProviderError(
            f"{len(short)} of {len(pushed)} seats did not get all of it",
            details="\n".join(_why_short(one) for one in short),
            hint="run the same command again: what is there already stays as it is",
        )


def collect(
    name: OpenName = None, *, into: FolderOption = None, as_json: JsonOption = False
) -> None:
    """Write one archive for each seat's home into a folder, with a manifest and SHA256SUMS.

    The folder is NAME-homes here, unless --into says another.

    A seat that does not answer gives its last copy, marked as old. Running it again is right. Exit
    5, with names, when there is no archive of a seat.

    sandbox workshop collect class

    sandbox workshop collect class --into homes && cd homes && sha256sum --check SHA256SUMS
    """
    from sandbox.errors import ProviderError
    from sandbox.workflows.workshop.collect import collect as collect_homes

    with Progress() as progress:
        ws = opened(name, progress)
        folder = into or Path(f"{ws.name}-homes")
        manifest = collect_homes(ws, folder)
    if as_json:
        show_json(manifest.model_dump(mode="json"))
    else:
        _show_collected(manifest, folder)
    if manifest.missing:
        raise ProviderError(
            f"there is no archive of {', '.join(manifest.missing)}",
            details="the seat does not answer, and no copy of its home was ever made",
            hint=f"sandbox workshop status {ws.name}",
        )


def exercises(
    name: OpenName = None, *, seat: SeatOption = None, as_json: JsonOption = False
) -> None:
    """Run the exercises' checks in all seats, and show who is how far.

    sandbox workshop exercises class

    sandbox workshop exercises class --seat 07 --json
    """
    from sandbox.workflows.workshop.exercises import run_exercises

    with Progress() as progress:
        ws = opened(name, progress)
        found = run_exercises(ws, _numbers(ws, seat))
    if as_json:
        show_json(
            {
                str(number): {key: one.model_dump(mode="json") for key, one in results.items()}
                for number, results in found.items()
            }
        )
    else:
        _show_exercises(ws, found)


def homes(
    name: OpenName = None,
    *,
    put_back: Annotated[
        tuple[str, str] | None,
        typer.Option(
            "--put-back",
            metavar="SEAT FILE",
            help="Lay this copy into the seat; what is there now is set aside first.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show how old the copies of homes are, and which older ones are set aside.

    sandbox workshop homes class

    sandbox workshop homes class --put-back 07 seat07-g1-before-reset.tar
    """
    from sandbox.workflows.workshop import homes as copies

    with Progress() as progress:
        ws = opened(name, progress)
        if put_back is not None:
            word, file = put_back
            numbers = _numbers(ws, [word])
            copies.put_back(ws, numbers[0] if numbers else 0, file)
    rows = _home_rows(ws)
    if as_json:
        show_json([asdict(one) for one in rows])
    else:
        _show_homes(ws, rows)


def evacuate(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[NAME] SERVER",
            help="A server of the cluster; NAME may be left out when only one workshop is open.",
            show_default=False,
        ),
    ],
    *,
    as_json: JsonOption = False,
) -> None:
    """Move all seats of a server to the others, with their homes, before work on that server.

    Addresses stay; R's memory and what is not saved in the editor are lost, so tell the class
    before. Running it again goes on where it was cut off.

    sandbox workshop evacuate class n2
    """
    from sandbox.workflows.workshop.members import evacuate as move_away

    name, member = name_and_last(words, what="a server")
    with Progress() as progress:
        ws = opened(name, progress)
        done = move_away(ws, member)
    if as_json:
        show_json(list(done))
        return
    for what in done:
        show(what)
    show(f"{member} serves no seat of {ws.name} now")


def _numbers(ws: "RunningWorkshop", words: "Sequence[str] | None") -> list[int] | None:
    """The seats that somebody typed; None for all."""
    return [ws.seat(number_of(word)).number for word in words] if words else None


def _pushed_json(one: "PushedSeat") -> dict[str, object]:
    error = one.error.message if one.error is not None else None
    return {"seat": one.number, **one.answer.model_dump(mode="json"), "error": error}


def _why_short(one: "PushedSeat") -> str:
    from sandbox.workshop.names import seat_word

    why = one.error.message if one.error is not None else ""
    failed = "; ".join(f"{file}: {reason}" for file, reason in one.answer.failed[:3])
    return f"{seat_word(one.number)}: {why or failed}"


def _show_pushed(pushed: "Sequence[PushedSeat]") -> None:
    from sandbox.workshop.names import seat_word

    rows = [
        (
            seat_word(one.number),
            str(len(one.answer.written)),
            str(len(one.answer.same)),
            str(len(one.answer.aside)),
            "failed" if not one.is_whole else "",
        )
        for one in pushed
    ]
    show(columns(rows, heads=("SEAT", "WRITTEN", "SAME", "ASIDE", "")))
    for one in pushed:
        for stays, new in one.answer.aside:
            word = seat_word(one.number)
            say(f"{word}: {stays} was changed there and stays; the new one is {new}")


def _show_collected(manifest: "HomesManifest", folder: Path) -> None:
    rows = [
        (
            one.seat,
            one.file,
            f"{one.size_bytes / 1024**2:.1f} MB",
            f"{one.taken_at:%H:%M:%S} UTC" + (", an old copy" if one.is_old else ""),
        )
        for one in manifest.homes
    ]
    show(columns(rows, heads=("SEAT", "FILE", "SIZE", "AS OF")))
    say(f"{len(manifest.homes)} archives are in {folder}, and match SHA256SUMS there")


def _show_exercises(
    ws: "RunningWorkshop", found: "Mapping[int, Mapping[str, ExerciseResult]]"
) -> None:
    from sandbox.workshop.names import seat_word

    names = [one.exercise for one in ws.record.checks]
    seats = ws.map()
    rows = []
    for number, results in found.items():
        holder = seats.seat(number).holder
        cells = [_cell(results[name]) for name in names]
        rows.append((seat_word(number), *cells, holder.name if holder is not None else ""))
    show(columns(rows, heads=("SEAT", *names, "PERSON")))
    for number, results in found.items():
        for name in names:
            if words := results[name].words:
                shown = " ".join(words.split())[:_SHOWN_CHARS]
                say(f"{seat_word(number)} {name}: {shown}")
    done = sum(all(one.holds for one in results.values()) for results in found.values())
    say(f"{done} of {len(found)} seats have done all of it")


def _cell(result: "ExerciseResult") -> str:
    if result.holds is None:
        return "?"
    return "done" if result.holds else "not yet"


@dataclass(frozen=True)
class _HomeRow:
    """What is shown of the copies of one seat's home."""

    seat: str
    as_of: str | None
    age_s: int | None
    size_bytes: int
    sha256: str
    unreadable_files: int
    trouble: str
    set_aside: tuple[str, ...]


def _home_rows(ws: "RunningWorkshop") -> list[_HomeRow]:
    from sandbox.workflows.workshop.homes import set_aside
    from sandbox.workshop.home_notes import home_notes
    from sandbox.workshop.names import seat_word

    notes, aside = home_notes(ws.store), set_aside(ws)
    return [
        _HomeRow(
            seat=seat_word(one.number),
            as_of=note.seen_at.isoformat() if note.seen_at is not None else None,
            age_s=_age_s(note.seen_at),
            size_bytes=note.size_bytes,
            sha256=note.sha256,
            unreadable_files=note.unreadable,
            trouble=note.trouble,
            set_aside=tuple(file.name for file in aside.get(one.number, ())),
        )
        for one in ws.map().seats
        for note in [notes.of(one.number)]
    ]


def _age_s(at: datetime | None) -> int | None:
    return int((datetime.now(UTC) - at).total_seconds()) if at is not None else None


def _show_homes(ws: "RunningWorkshop", rows: "Sequence[_HomeRow]") -> None:
    shown = [
        (
            row.seat,
            f"{row.age_s} s" if row.age_s is not None else "no copy",
            f"{row.size_bytes / 1024**2:.1f} MB",
            row.trouble or _unread(row.unreadable_files),
        )
        for row in rows
    ]
    show(columns(shown, heads=("SEAT", "AGE", "SIZE", "")))
    aside = [(row.seat, file) for row in rows for file in row.set_aside]
    if aside:
        show()
        show(columns(aside, heads=("SEAT", "SET ASIDE")))
        next_steps(f"sandbox workshop homes {ws.name} --put-back {aside[0][0]} {aside[0][1]}")


def _unread(count: int) -> str:
    return f"{count} files may not be read, and are in no copy" if count else ""
