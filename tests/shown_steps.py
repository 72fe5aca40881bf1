"""The steps that a command told of on stderr: their names, and how each of them ended.

A word in all that was said proves no step: Vagrant's own "Running provisioner: login (shell)..." is
shown with a step that takes longer than half a minute, and on a slow machine any of them does.
"""

import re
from dataclasses import dataclass

_BEGUN = re.compile(r"  \.\.\. (.+)")
_ENDED = re.compile(r"  ([✓✗]) (.+?)  \d+\.\d s(?:  (.+))?")


@dataclass(frozen=True)
class ShownStep:
    """One step."""

    end: str = ""
    """`done`, `failed` or `interrupted`; empty when the command was cut off in it."""
    note: str = ""
    """What came of it, in a few words."""


def shown_steps(said: str) -> dict[str, ShownStep]:
    """Read the steps from what was said, by their names; of one that came twice the last counts."""
    found: dict[str, ShownStep] = {}
    for row in said.splitlines():
        if begun := _BEGUN.fullmatch(row):
            found[begun[1]] = ShownStep()
        elif ended := _ENDED.fullmatch(row):
            words = ended[3] or ""
            if ended[1] == "✓":
                found[ended[2]] = ShownStep("done", words)
            else:
                found[ended[2]] = ShownStep(words)
    return found
