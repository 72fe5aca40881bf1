"""The hidden command of the keeper: it runs in the background while a workshop is open.

Kept apart from the other commands: the small parent imports no more than this.
"""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from sandbox.cli.console import say

if TYPE_CHECKING:
    from sandbox.workflows.workshop.running import RunningWorkshop
    from sandbox.workshop.store import WorkshopStore


def keep(
    name: Annotated[str, typer.Argument(help="An open workshop.")],
    *,
    parent: Annotated[
        int | None, typer.Option(help="Be the child of this process, and do the work.")
    ] = None,
) -> None:
    """Keep an open workshop: proxy, pages, copies of homes. `sandbox workshop up` starts it."""
    from sandbox.workshop.store import WorkshopStore

    store = WorkshopStore(name)
    store.require()
    if parent is not None:
        _work(store, parent)
    else:
        from sandbox.workflows.workshop.keeper import keep as be_parent
        from sandbox.workflows.workshop.keeper import keeper_words

        be_parent(store, _log, keeper_words(name, "--parent", str(os.getpid())))


def _work(store: "WorkshopStore", parent: int) -> None:
    from sandbox.cli.settings import context
    from sandbox.events import ignore
    from sandbox.workflows.workshop.keeper import as_child
    from sandbox.workflows.workshop.running import RunningWorkshop
    from sandbox.workflows.workshop.tending import parts_of, tend

    with as_child(store, parent) as is_done:
        ws = RunningWorkshop.named(store.name, context(ignore))
        _log("the keeper's child has begun")
        tend(parts_of(ws, _log, _serve), _log, is_done)
        _log("the keeper's child ends: the workshop closes, or its parent is gone")


def _serve(ws: "RunningWorkshop") -> None:
    from threading import Event

    from sandbox.workshop_page import serve

    # It ends with the process
    serve(ws, stop=Event())


def _log(words: str) -> None:
    from datetime import UTC, datetime

    say(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {words}")
