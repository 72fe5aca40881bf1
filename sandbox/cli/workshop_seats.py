"""Commands for the seats of an open workshop: status, add, reset, give, extend, slips."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sandbox.cli.complete import complete_workshop_seat
from sandbox.cli.console import (
    YELLOW,
    Progress,
    colourful,
    paint,
    show,
    show_json,
)
from sandbox.cli.rows import columns
from sandbox.cli.workshop_named import (
    FolderOption,
    JsonOption,
    OpenName,
    name_and_last,
    number_of,
    opened,
    seat_json,
    trainers_page,
)

if TYPE_CHECKING:
    from datetime import datetime

    from sandbox.workflows.workshop.running import RunningWorkshop
    from sandbox.workshop.seat_map import Holder, Seat
    from sandbox.workshop.view import SeatView, WorkshopView

_Words = Annotated[
    list[str],
    typer.Argument(
        metavar="[NAME] SEAT",
        help="A seat (seat07, or 7) of an open workshop; NAME may be left out when only one is.",
        autocompletion=complete_workshop_seat,
        show_default=False,
    ),
]


def register_seats(group: typer.Typer) -> None:
    """Add these commands to the group of workshops."""
    for command in (status, add, reset, give, extend, slips):
        group.command(command.__name__)(command)


def status(
    name: OpenName = None,
    *,
    secret: Annotated[
        bool, typer.Option("--secret", help="Show the secret of the trainer's page too.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show every seat, those first whose person is stuck; and what the trainer must know.

    sandbox workshop status

    sandbox workshop status class --json
    """
    from sandbox.errors import UsageError
    from sandbox.workflows.workshop.view import view

    if secret and as_json:
        raise UsageError("--json shows no secret", hint="leave one of the two options out")
    with Progress() as progress:
        ws = opened(name, progress)
        seen = view(ws)
    if as_json:
        from sandbox.cli.console import show_json_text

        show_json_text(seen.model_dump_json(indent=2))
        return
    _show_seats(seen)
    if len(seen.members) > 1:
        show()
        rows = [(one.name, str(one.seats), one.trouble or "ok") for one in seen.members]
        show(columns(rows, heads=("SERVER", "SEATS", "STATE")))
    show()
    if seen.ends is not None:
        show(f"ends {seen.ends.astimezone():%Y-%m-%d %H:%M}")
    if secret:
        show(trainers_page(ws))
    on = colourful(stdout=True)
    for notice in seen.notices:
        show(f"{paint('note:', YELLOW, on=on)} {notice}")


def _show_seats(seen: "WorkshopView") -> None:
    from sandbox.workshop.stuck import ranks

    # Only where there are to be any
    whole = ("WHOLE",) if seen.has_replicas else ()
    rows = [
        (
            one.seat.word,
            one.seat.name or ("(spare)" if one.seat.is_spare else "-"),
            "retired" if one.seat.retired else str(one.seat.state),
            _memory(one.seat),
            _done(one.seat, seen),
            _age(one.seat.home_saved_at, seen.at),
            *(_age(one.seat.replica_at, seen.at) for _ in whole),
            one.words,
        )
        for one in ranks(seen)
    ]
    heads = ("SEAT", "PERSON", "STATE", "MEMORY", "DONE", "COPY", *whole, "")
    show(columns(rows, heads=heads))


def _memory(seat: "SeatView") -> str:
    return f"{seat.memory_mb} of {seat.memory_limit_mb} MB" if seat.memory_mb is not None else "-"


def _done(seat: "SeatView", seen: "WorkshopView") -> str:
    if not seen.exercises:
        return "-"
    done = sum(one.holds is True for one in seat.exercises.values())
    return f"{done} of {len(seen.exercises)}"


def _age(when: "datetime | None", now: "datetime") -> str:
    if when is None:
        return "none"
    seconds = (now - when).total_seconds()
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"  # noqa: PLR2004


def add(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME] [K]",
            help="An open workshop, and how many seats for people whose name is not known.",
            autocompletion=complete_workshop_seat,
            show_default=False,
        ),
    ] = None,
    *,
    names: Annotated[
        list[str] | None,
        typer.Option("--name", metavar="PERSON", help="Somebody who came late; again for more."),
    ] = None,
    email: Annotated[
        str, typer.Option(help="The e-mail address of the one person of --name.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Give late people a seat: a spare one at once; what takes its place is made after that.

    Said again, it changes nothing for people who have a seat.

    sandbox workshop add --name "Ada Byron"

    sandbox workshop add class 2
    """
    from sandbox.workflows.workshop.add import finish, give_spare

    name, more = _name_and_count(words or [], people=bool(names))
    people = _people(names or [], email)
    with Progress() as progress:
        ws = opened(name, progress)
        given = give_spare(ws, people)
        if not as_json and all(one.ready for one in given):
            _show_slips(ws, given)
        made = finish(ws, more)
        given_now = tuple(ws.seat(one.number) for one in given)
    if as_json:
        show_json([_with_secret(ws, one) for one in (*given_now, *made)])
        return
    if not all(one.ready for one in given):
        _show_slips(ws, given_now)
    _show_slips(ws, made)


def _name_and_count(words: list[str], *, people: bool) -> tuple[str | None, int]:
    from sandbox.errors import UsageError

    last = words[-1] if words else ""
    # A workshop's name begins with a letter
    count = int(last) if last.isascii() and last.isdecimal() else None
    rest = words if count is None else words[:-1]
    if len(rest) > 1 or (count is None and not people):
        raise UsageError(
            "say how many seats to add, or for whom",
            hint="sandbox workshop add 2, or sandbox workshop add --name PERSON",
        )
    return (rest[0] if rest else None), count or 0


def _people(names: list[str], email: str) -> "list[Holder]":
    from sandbox.errors import UsageError
    from sandbox.workshop.seat_map import Holder

    if email and len(names) != 1:
        raise UsageError("--email is the address of one person", hint="name that person: --name")
    found = [" ".join(name.split()) for name in names]
    if wrong := [one for one in found if not one or not one.isprintable() or len(one) > 100]:  # noqa: PLR2004
        raise UsageError("a name is one line of at most 100 characters", details=repr(wrong[0]))
    return [Holder(name=one, email=email) for one in found]


def _show_slips(ws: "RunningWorkshop", seats: "tuple[Seat, ...]") -> None:
    from sandbox.workflows.workshop.slips import slip_of

    if not seats:
        return
    slips = [slip_of(ws, one) for one in seats]
    rows = [(one.seat, one.name or "(spare)", one.url, one.user, one.secret) for one in slips]
    show(columns(rows, heads=("SEAT", "PERSON", "ADDRESS", "USER", "SECRET")))


def _with_secret(ws: "RunningWorkshop", seat: "Seat") -> dict[str, object]:
    secret = ws.store.secret_of(seat.number)
    return {**seat_json(ws, seat), "user": ws.workshop.user, "secret": secret}


def reset(
    words: _Words,
    *,
    keep_home: Annotated[
        bool, typer.Option("--keep-home", help="Lay the saved home into the new machine.")
    ] = False,
    restart: Annotated[
        bool, typer.Option("--restart", help="Only start its servers again; files stay.")
    ] = False,
    unsaved: Annotated[
        bool, typer.Option("--unsaved", help="Go on although its home cannot be saved.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Put one seat back as it was made; its home is saved first, and it is said where.

    The person, the secret and the address stay the same, and no other seat notices.

    sandbox workshop reset seat07

    sandbox workshop reset class 7 --keep-home
    """
    from sandbox.errors import UsageError
    from sandbox.workflows.workshop import reset as resetting

    if restart and (keep_home or unsaved):
        raise UsageError("--restart changes no file", hint="leave the other option out")
    name, word = name_and_last(words, what="a seat")
    number = number_of(word)
    with Progress() as progress:
        ws = opened(name, progress)

        def tell(seat: "Seat") -> None:
            if as_json:
                show_json(seat_json(ws, seat))
            else:
                show(ws.url(seat))

        if restart:
            resetting.restart_servers(ws, number)
            tell(ws.seat(number))
        else:
            resetting.reset(ws, number, keep_home=keep_home, unsaved=unsaved, on_ready=tell)


def give(
    words: _Words,
    *,
    person: Annotated[
        str, typer.Option("--name", metavar="PERSON", help="Who gets it.", show_default=False)
    ],
    email: Annotated[str, typer.Option(help="The person's e-mail address.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Give a seat, with all that is in it, to another person: it gets a new secret.

    The browser that had claimed it does not open it any more, and who is signed in there is signed
    out. A seat without the work of somebody else: `sandbox workshop add --name PERSON`.

    sandbox workshop give seat07 --name "Grace Hopper"
    """
    from sandbox.workflows.workshop.claims import give as give_to

    name, word = name_and_last(words, what="a seat")
    number = number_of(word)
    with Progress() as progress:
        ws = opened(name, progress)
        ws.seat(number)
        seat = give_to(ws, number, person, email)
    if as_json:
        show_json(_with_secret(ws, seat))
    else:
        _show_slips(ws, (seat,))


def extend(
    name: OpenName = None,
    *,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="17:30, or 2026-12-01T17:30+01:00.")
    ] = None,
    by: Annotated[str | None, typer.Option(metavar="TIME", help="30m, 2h, 1h30m.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Let a workshop end later. Nothing is removed at its end; the pages warn before.

    sandbox workshop extend --by 30m

    sandbox workshop extend class --until 17:30
    """
    from datetime import UTC, datetime

    from sandbox.errors import UsageError
    from sandbox.workflows.workshop.extend import extend as let_end
    from sandbox.workshop.moments import duration, moment

    if (until is None) == (by is None):
        raise UsageError("say --until or --by", hint="sandbox workshop extend --by 30m")
    with Progress() as progress:
        ws = opened(name, progress)
        now = datetime.now(UTC)
        if until is not None:
            ends = moment(until, now.astimezone())
        else:
            ends = max(now, ws.record.ends or now) + duration(by or "")
        ws = let_end(ws, ends)
    if as_json:
        show_json({"workshop": ws.name, "ends": ends.isoformat()})
    else:
        show(f"{ws.name} ends {ends.astimezone():%Y-%m-%d %H:%M}")


def slips(name: OpenName = None, *, into: FolderOption = None, as_json: JsonOption = False) -> None:
    """Write the slips again: a page to print, and a table for mails. They hold the secrets.

    sandbox workshop slips

    sandbox workshop slips class --into ~/class
    """
    from dataclasses import asdict

    from sandbox.workflows.workshop.slips import slips as all_slips
    from sandbox.workflows.workshop.slips import write_slips

    with Progress() as progress:
        ws = opened(name, progress)
    if as_json:
        show_json([asdict(one) for one in all_slips(ws)])
        return
    written = write_slips(ws, into or Path.cwd() / f"{ws.name}-slips")
    show(f"to print:  {written.page}")
    show(f"for mails: {written.table}")
