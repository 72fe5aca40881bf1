"""Where the values of secrets come from on a command line; asking for them on a terminal."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from sandbox.cli.console import plain, say

if TYPE_CHECKING:
    from sandbox.secret_values import NeededSecret
    from sandbox.workflows.secrets_given import GivenSecrets


def given_secrets(file: Path | None) -> "GivenSecrets":
    """The environment, the file of `--secrets`, and the terminal, where there is one."""
    from sandbox.workflows.secrets_given import GivenSecrets

    on_terminal = sys.stdin.isatty() and sys.stderr.isatty()
    return GivenSecrets(os.environ, file, _ask if on_terminal else None)


def _ask(needed: "NeededSecret", trouble: str) -> str:
    """The value, typed without an echo."""
    if trouble:
        say(f"that cannot be: {trouble}")
    question = plain(f"{needed.name} (for {', '.join(needed.places)})")
    try:
        return str(typer.prompt(question, hide_input=True, err=True))
    except typer.Abort:
        # Ctrl-C, or the end of the input: as anywhere else
        raise KeyboardInterrupt from None
