"""The sources of secrets' values on a command line; asks for values on a terminal."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.cli.console import say, secret_answer_to

if TYPE_CHECKING:
    from sandbox.secret_values import NeededSecret
    from sandbox.workflows.secrets_given import GivenSecrets


def given_secrets(file: Path | None) -> "GivenSecrets":
    """Return the sources of secrets: the environment, the file of `--secrets`, a terminal."""
    from sandbox.workflows.secrets_given import GivenSecrets

    on_terminal = sys.stdin.isatty() and sys.stderr.isatty()
    return GivenSecrets(os.environ, file, _ask if on_terminal else None)


def _ask(needed: "NeededSecret", trouble: str) -> str:
    """Ask for the value, without an echo."""
    if trouble:
        say(f"this value does not fit: {trouble}")
    return secret_answer_to(f"{needed.name} (for {', '.join(needed.places)})")
