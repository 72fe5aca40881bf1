"""The command trust, and the question before a box's own code runs on this host."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sandbox.cli.console import agreed, say, show, show_json

if TYPE_CHECKING:
    from sandbox.trust import Consent, HostCode
    from sandbox.trust_store import TrustStore


def consent(*, trust: bool) -> "Consent":
    """Choose how this run gets agreement: by `--trust`, or by a question on a terminal."""
    from sandbox.trust import Consent

    is_terminal = sys.stdin.isatty() and sys.stderr.isatty()
    return Consent(ask=_ask if is_terminal else None, is_given=trust)


def _ask(code: "HostCode", purpose: str) -> bool:
    say()
    for line in code.text.splitlines():
        say(f"  | {line}")
    say()
    say(f"This file is code of the box, and would run on this host ({purpose}):")
    say(f"  {code.path}")
    say(f"  sha256 {code.sha256}")
    return agreed("Run it now, and again whenever its content is the same?")


def trust(
    path: Annotated[
        Path | None,
        typer.Argument(help="A file, as it is now; or a folder, with all that will be in it."),
    ] = None,
    *,
    remove: Annotated[
        Path | None, typer.Option("--remove", metavar="PATH", help="Take back what was agreed to.")
    ] = None,
    listing: Annotated[bool, typer.Option("--list", help="Show what is agreed to.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --list: as JSON.")] = False,
) -> None:
    """Agree that a box's own checks run on this host: Python, with all that you may do here.

    You agree to a file with its present content: when the file changes, you are asked again. For
    files in a folder that you trust, nothing is asked. Files that come with sandbox need no trust.

    sandbox trust checks/test_sales.py

    sandbox trust ~/boxes

    sandbox trust --list

    sandbox trust --remove ~/boxes
    """
    from sandbox.errors import UsageError
    from sandbox.trust_store import TrustStore

    if [path is not None, remove is not None, listing].count(True) != 1:
        raise UsageError(
            "say what to do: a path to trust, --list, or --remove PATH", hint="sandbox trust --help"
        )
    store = TrustStore()
    if path is not None:
        say(f"agreed: {store.add(path)}")
    elif remove is not None:
        if not store.remove(remove):
            raise UsageError(
                f"{remove} was not agreed to", hint="sandbox trust --list shows what is"
            )
        say(f"no longer agreed: {remove}")
    else:
        _show(store, as_json=as_json)


def _show(store: "TrustStore", *, as_json: bool) -> None:
    known = store.read()
    if as_json:
        show_json(known.model_dump(mode="json", exclude={"format"}))
        return
    for folder in known.folders:
        show(f"{folder}/  everything in this folder")
    for name, hashes in sorted(known.files.items()):
        for sha256 in hashes:
            show(f"{name}  sha256 {sha256}")
    if not (known.folders or known.files):
        say("nothing is agreed to yet, but what comes with sandbox")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("trust")(trust)
