"""What the commands of a workshop have in common: which workshop, which seat, and how it is told.

With one open workshop its name may be left out. A workshop is also known by its file.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sandbox.cli.complete import complete_open_workshop

if TYPE_CHECKING:
    from sandbox.events import Listener
    from sandbox.workflows.workshop.running import RunningWorkshop
    from sandbox.workshop.seat_map import Seat

_SUFFIX = ".workshop.yml"

OpenName = Annotated[
    str | None,
    typer.Argument(
        metavar="[NAME]",
        help="An open workshop, or its file; may be left out when only one is open.",
        autocompletion=complete_open_workshop,
        show_default=False,
    ),
]
FolderOption = Annotated[
    Path | None,
    typer.Option(
        "--into", metavar="DIR", help="The folder on this host to write into.", show_default=False
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def name_of(word: str | None) -> str:
    """Return the workshop's name for what the user typed; the only open one for nothing.

    Raises:
        UsageError: none or several are open, and nobody said which.
    """
    from sandbox.errors import UsageError
    from sandbox.workshop.names import workshop_name
    from sandbox.workshop.store import workshop_names

    if word is not None:
        stem = Path(word).name
        return workshop_name(stem.removesuffix(_SUFFIX).removesuffix(".yml"))
    names = workshop_names()
    if len(names) == 1:
        return names[0]
    if not names:
        raise UsageError(
            "no workshop is open on this host", hint="sandbox workshop up class.workshop.yml"
        )
    raise UsageError(
        "several workshops are open: say which", details=", ".join(names), hint="name one of them"
    )


def opened(word: str | None, listener: "Listener") -> "RunningWorkshop":
    """Return the open workshop for what the user typed; its keeper is started where it was killed.

    Raises:
        UsageError: there is none of that name, or nobody said which of several.
        BrokenFileError: its record is damaged.
    """
    from sandbox.cli.settings import context
    from sandbox.workflows.workshop.keeper import revive_keeper
    from sandbox.workflows.workshop.running import RunningWorkshop

    ws = RunningWorkshop.named(name_of(word), context(listener))
    revive_keeper(ws)
    return ws


def name_and_last(words: Sequence[str], *, what: str) -> tuple[str | None, str]:
    """Split `[NAME] LAST`: two words, or the last one alone.

    Raises:
        UsageError: there are more or fewer.
    """
    from sandbox.errors import UsageError

    if len(words) == 1:
        return None, words[0]
    if len(words) == 2:  # noqa: PLR2004
        return words[0], words[1]
    raise UsageError(f"say a workshop and {what}", details=" ".join(words))


def name_and_files(words: Sequence[str]) -> tuple[str | None, list[Path]]:
    """Split `[NAME] FILES…`: the first word is a name when a workshop of that name is open.

    Raises:
        UsageError: there is no file.
    """
    from sandbox.errors import UsageError
    from sandbox.workshop.store import WorkshopStore

    is_named = words[0].endswith(_SUFFIX) or (
        "/" not in words[0] and WorkshopStore(name_of(words[0])).exists()
    )
    files = [Path(one) for one in (words[1:] if is_named else words)]
    if not files:
        raise UsageError(
            "say which files", hint=f"sandbox workshop push {words[0]} FILES… --to FOLDER"
        )
    return (words[0] if is_named else None), files


def number_of(word: str) -> int:
    """Return the number of a seat for `seat07`, `07` or `7`.

    Raises:
        UsageError: it is none of these.
    """
    from sandbox.errors import UsageError
    from sandbox.spec.problem import code
    from sandbox.workshop.names import seat_number

    number = seat_number(word)
    if number is None:
        raise UsageError(f"{code(word)} is no seat", hint="write seat07, or 7")
    return number


def seat_json(ws: "RunningWorkshop", seat: "Seat") -> dict[str, object]:
    """Return a seat for `--json`; without its secret."""
    from sandbox.workshop.names import seat_word

    holder = seat.holder
    return {
        "seat": seat_word(seat.number),
        "name": holder.name if holder else "",
        "email": holder.email if holder else "",
        "url": ws.url(seat),
        "ready": seat.ready,
        "machine": ws.map().instance_of(seat) if seat.generation else "",
        "member": seat.member,
    }


def trainers_page(ws: "RunningWorkshop") -> str:
    """Say where the trainer's page is, and its secret: for the eyes of who asked, and no log."""
    from ipaddress import ip_address

    from sandbox.workshop.names import url_of

    listen = ws.workshop.listen
    # As the page itself does: on this host alone nothing crosses a network
    is_encrypted = ws.workshop.tls is not None and not ip_address(listen.page_address).is_loopback
    page = url_of(listen.page_address, listen.page_port, tls=is_encrypted)
    return f"trainer's page:  {page}  secret: {ws.store.secrets().trainer}"
