"""What the user sees: data on stdout, everything else on stderr, colour only where it helps.

Progress is live on a terminal (what is happening, for how long, the tool's last line) and plain
lines elsewhere. `NO_COLOR` and `TERM=dumb` are respected.
"""

import os
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

from sandbox.errors import SandboxError
from sandbox.events import Event, Notice, StepEnded, StepOutput, StepStarted

if TYPE_CHECKING:
    from rich.status import Status
    from rich.text import Text

_SLOW_S = 5.0
_RED, _GREEN, _YELLOW, _DIM, _BOLD, _OFF = "31", "32", "33", "2", "1", "0"


def colourful(*, stdout: bool = False) -> bool:
    """Whether colour (and a live display) is welcome on that stream."""
    stream = sys.stdout if stdout else sys.stderr
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, code: str, *, on: bool) -> str:
    """`text` in an ANSI style, or as it is."""
    return f"\x1b[{code}m{text}\x1b[{_OFF}m" if on else text


def plain(text: str) -> str:
    """`text` without control characters: a tool's or a box's words must not steer the terminal."""
    return "".join(
        char if char in "\n\t" or (char.isprintable() or char == " ") else "�" for char in text
    )


def say(text: str = "") -> None:
    """A line for the person, on stderr."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def show_error(error: SandboxError, log: str = "") -> None:
    """What is wrong, the evidence, and the command that mends it."""
    on = colourful()
    say(f"{paint('error:', _RED, on=on)} {paint(plain(error.message), _BOLD, on=on)}")
    for line in plain(error.details).splitlines():
        say(f"  {line}")
    if error.hint:
        say()
        say(f"{paint('hint:', _GREEN, on=on)} {plain(error.hint)}")
    if log:
        say(f"log: {log}")


class Progress:
    """A listener that shows steps; use it as a context manager."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._on = colourful()
        self._live = self._on and sys.stderr.isatty() and not quiet
        self._status: Status | None = None
        self._titles: list[tuple[str, float]] = []
        self._line = ""

    def __enter__(self) -> "Progress":
        """Start showing."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the terminal as it was."""
        self._hide()

    def __call__(self, event: Event) -> None:
        """Take an event; any thread may call, one at a time."""
        if self._quiet and not isinstance(event, Notice):
            return
        match event:
            case StepStarted(title=title):
                self._titles.append((title, time.monotonic()))
                if self._live:
                    self._show()
                else:
                    say(f"  ... {title}")
            case StepOutput(line=line):
                self._line = plain(line)
                self._show()
            case StepEnded():
                self._end(event)
            case Notice(text=text):
                self._hide()
                say(f"  {paint('note:', _YELLOW, on=self._on)} {plain(text)}")
                self._show()

    def _end(self, event: StepEnded) -> None:
        if self._titles:
            self._titles.pop()
        self._line = ""
        self._hide()
        mark = (
            paint("✓", _GREEN, on=self._on)
            if event.error is None
            else paint("✗", _RED, on=self._on)
        )
        took = paint(f"{event.elapsed_s:.1f} s", _DIM, on=self._on)
        note = f"  {paint(plain(event.note), _DIM, on=self._on)}" if event.note else ""
        word = "" if event.error is None else "  failed"
        say(f"  {mark} {event.title}  {took}{note}{word}")
        self._show()

    def _show(self) -> None:
        if not self._live or not self._titles:
            return
        if self._status is None:
            from rich.console import Console
            from rich.status import Status

            self._status = Status("", console=Console(stderr=True), spinner="dots")
            self._status.start()
        self._status.update(_LiveLine(self))

    def _hide(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None

    def current(self) -> str:
        """The running step, its seconds, and the last line of its tool."""
        if not self._titles:
            return ""
        title, started = self._titles[-1]
        tail = f"  {self._line[:100]}" if self._line else ""
        return f"{title}  {time.monotonic() - started:.0f} s{tail}"


class _LiveLine:
    """Rendered anew at each refresh, so that the seconds run by themselves."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def __rich__(self) -> "Text":
        from rich.text import Text

        return Text(self._progress.current(), overflow="ellipsis", no_wrap=True)
