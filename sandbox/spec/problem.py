"""One thing that is wrong with a box file, and how several of them become one error."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from sandbox.errors import BoxError

_SHOWN = 110
"""Longer text is cut."""
_LOGIN = re.compile(r"://\S*@")
_MOST = 50
"""The most problems that one error shows; `problems` has them all."""


@dataclass(frozen=True)
class Problem:
    """What is wrong, where, and perhaps the right word."""

    path: Path
    line: int
    """Counted from 1; 0 for the file as a whole."""
    key: str
    """Dotted, `apps[0].path`; empty when no key is meant."""
    message: str
    suggestion: str = ""
    """A whole sentence: ``Perhaps you meant `timezone`?``"""
    text: str = ""
    """The wrong line of the file, safe to print; empty when it must not be shown."""
    reveals: bool = True
    """Whether the message may hold words of the file."""

    @property
    def place(self) -> str:
        """`boxes/shiny.yml:12`, relative to the current folder where that is shorter."""
        return f"{short(self.path)}:{self.line}" if self.line else short(self.path)

    def __str__(self) -> str:
        """One line, and below it the wrong line of the file."""
        key = f"{self.key}: " if self.key else ""
        end = f". {self.suggestion}" if self.suggestion else ""
        shown = f"\n    {self.line} | {self.text}" if self.text.strip() else ""
        return f"{self.place}: {key}{self.message}{end}{shown}"


def short(path: Path) -> str:
    """Shorten the path to what a user would type here, safe to print."""
    try:
        text = str(path.relative_to(Path.cwd()))
    except (ValueError, FileNotFoundError):  # elsewhere, or our own folder was deleted
        text = str(path)
    return printable(text, limit=400)


def printable(text: str, *, limit: int = _SHOWN) -> str:
    """Make text from a file safe to print: nothing moves a terminal's cursor, cut to a line.

    A login in an address is not shown.
    """
    text = _LOGIN.sub("://***@", text)
    clean = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    return clean if len(clean) <= limit else f"{clean[: limit - 3]}..."


def code(text: str) -> str:
    """Quote text from a file between backticks, for use inside a message."""
    return f"`{printable(text, limit=60)}`"


def near(word: str, known: Iterable[str], *, most: int = 3) -> str:
    """Suggest the nearest word: ``Perhaps you meant `timezone`?``; empty when nothing is near."""
    names = {name.lower(): name for name in known}
    found = [names[name] for name in get_close_matches(word.lower(), names, n=most, cutoff=0.7)]
    return f"Perhaps you meant {alternatives(found)}?" if found else ""


def alternatives(words: Sequence[str]) -> str:
    """Join words, each between backticks: a, b or c."""
    quoted = [code(word) for word in words]
    return " or ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)


def box_error(problems: Sequence[Problem], *paths: Path) -> "InvalidBoxError":
    """Make one error of all problems of one or several boxes, in the order of the files' lines."""
    order = {path: number for number, path in enumerate(paths)}
    ordered = sorted(
        dict.fromkeys(problems),
        key=lambda problem: (order.get(problem.path, len(paths)), problem.path, problem.line),
    )
    number = "a problem" if len(ordered) == 1 else f"{len(ordered)} problems"
    if len(paths) == 1:
        message = f"`{short(paths[0])}` has {number}"
    else:
        message = f"{len(paths)} boxes have {number}"
    return InvalidBoxError(message, problems=tuple(ordered))


class InvalidBoxError(BoxError):
    """A box file with everything that is wrong with it."""

    def __init__(self, message: str, *, problems: tuple[Problem, ...]) -> None:
        first = next((problem for problem in problems if problem.line), None) or problems[0]
        more = [f"... and {len(problems) - _MOST} more"] if len(problems) > _MOST else []
        super().__init__(
            message,
            details="\n".join([*map(str, problems[:_MOST]), *more]),
            hint=f"mend {first.place}, then run `sandbox validate` again",
        )
        self.problems = problems
