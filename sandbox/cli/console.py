"""All output to the user: data on stdout, everything else on stderr, colour only where it helps.

Only this module prints, and so it cleans every text: text of a server, a machine, a box or a tool
must not steer the terminal. `show` and `say` take text from anywhere; only text of the type
`Painted` (our own colours, made here from clean parts) passes unchanged. There are two exceptions,
when the user asks: `sandbox ssh` and `sandbox exec` give the terminal itself to a program over
there (workflows/enter.py), and a file that is written with -o is written unchanged.

Progress is live on a terminal (what is happening, for how long, the tool's last line) and plain
lines elsewhere. `NO_COLOR` and `TERM=dumb` are respected.
"""

import io
import json
import os
import re
import sys
import time
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from sandbox.clean import clean
from sandbox.errors import SandboxError
from sandbox.events import Event, Notice, StepEnded, StepOutput, StepStarted

if TYPE_CHECKING:
    from rich.status import Status
    from rich.text import Text

RED, GREEN, YELLOW, DIM, BOLD = "31", "32", "33", "2", "1"
"""The styles for `paint`."""
_OFF = "0"
_NOW_AND_THEN_S = 30.0
_NOT_ASCII = re.compile(r"[^\x00-\x7e]")


def speak_utf8() -> None:
    """Make file names and text of other programs UTF-8; replace what the terminal cannot show.

    With a locale such as de_DE.ISO-8859-1, Python reads the bytes of a path as other letters than
    those that we write into files for ssh and Ansible. Then Python is started again, in UTF-8, but
    still writes to the terminal in the terminal's own encoding.
    """
    if sys.getfilesystemencoding().lower() not in ("utf-8", "utf8"):
        terminal = sys.stdout.encoding if sys.stdout is not None else "ascii"
        os.environ.setdefault("PYTHONIOENCODING", f"{terminal}:replace")
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    # Other programs write for us, not for the terminal
    os.environ.pop("PYTHONIOENCODING", None)
    os.environ["PYTHONUTF8"] = "1"


def colourful(*, stdout: bool = False) -> bool:
    """Tell whether colour (and a live display) is welcome on that stream."""
    stream = sys.stdout if stdout else sys.stderr
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


class Painted(str):
    """Text that may go to a terminal unchanged: clean, with only our own colours."""

    __slots__ = ()


def paint(text: str, code: str, *, on: bool) -> Painted:
    """Paint `text`, cleaned, in an ANSI style or without."""
    clean = plain(text)
    return Painted(f"\x1b[{code}m{clean}\x1b[{_OFF}m" if on else clean)


def line(*parts: str) -> Painted:
    """Join parts to a row; parts that are not painted are cleaned."""
    return Painted("".join(plain(part) for part in parts))


def lines(rows: Iterable[str]) -> Painted:
    """Join rows below each other; rows that are not painted are cleaned."""
    return Painted("\n".join(plain(row) for row in rows))


def plain(text: str) -> str:
    """Return `text` without characters that steer a terminal: escapes, overprinting, hidden ones.

    Line ends and tabs stay; `Painted` text is clean already.
    """
    return text if isinstance(text, Painted) else clean(text)


def show(text: str = "", *, end: str = "\n") -> None:
    """Print data on stdout."""
    _put(sys.stdout, f"{plain(text)}{end}")


def show_json(value: object) -> None:
    """Print data as JSON on stdout; in ASCII, with everything else escaped."""
    _put(sys.stdout, f"{json.dumps(value, indent=2)}\n")


def show_json_text(text: str) -> None:
    """Print text that is JSON already, as a model's is; in ASCII, with everything else escaped."""
    # Outside of its strings, JSON is always ASCII
    _put(sys.stdout, f"{_NOT_ASCII.sub(_escaped, text)}\n")


def _escaped(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1] if found[0] != "\x7f" else "\\u007f"


def say(text: str = "") -> None:
    """Print a line for the person on stderr."""
    _put(sys.stderr, f"{plain(text)}\n")


def next_steps(*commands: str) -> None:
    """Print the next commands, on stderr: ready to copy, for this folder."""
    for number, command in enumerate(commands):
        say(f"{'next:' if number == 0 else '     '} {command}")


def agreed(question: str, *, default: bool = False) -> bool:
    """Ask on the terminal whether to go on; the end of the input is a no."""
    typed = answer_to(f"{question} [{'Y/n' if default else 'y/N'}]")
    if typed is None:
        return False
    word = typed.strip().lower()
    return word in {"y", "yes"} if word else default


def answer_to(question: str) -> str | None:
    """Ask a question on stderr, and return the line that a person types; None at the end."""
    _put(sys.stderr, f"{plain(question)} ")
    typed = sys.stdin.readline()
    return typed.removesuffix("\n") if typed else None


def secret_answer_to(question: str) -> str:
    """Ask a question, and return the line that a person types, without an echo.

    Raises:
        KeyboardInterrupt: Ctrl-C, or the end of the input.
    """
    import typer

    try:
        return str(typer.prompt(plain(question), hide_input=True, err=True))
    except typer.Abort:
        raise KeyboardInterrupt from None


def _put(stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
    except UnicodeEncodeError:
        # A terminal of another encoding: replace what it cannot show
        encoding = stream.encoding or "ascii"
        stream.write(text.encode(encoding, "replace").decode(encoding))
    stream.flush()


def show_error(error: SandboxError, log: str = "") -> None:
    """Show the error: what is wrong, the evidence, and the command that mends it."""
    on = colourful()
    say(line(paint("error:", RED, on=on), " ", paint(error.message, BOLD, on=on)))
    for row in error.details.splitlines():
        say(f"  {row}")
    if error.hint:
        say()
        say(line(paint("hint:", GREEN, on=on), " ", error.hint))
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
        self._told_at = 0.0

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
                self._told_at = time.monotonic()
                self._titles.append((title, self._told_at))
                if self._live:
                    self._show()
                else:
                    say(f"  ... {title}")
            case StepOutput(line=said):
                self._line = said
                self._show()
                self._tell_now_and_then()
            case StepEnded():
                self._end(event)
            case Notice(text=text):
                self._hide()
                say(line("  ", paint("note:", YELLOW, on=self._on), " ", text))
                self._show()

    def _tell_now_and_then(self) -> None:
        """Without a live display, print a line each half minute: a long step still goes on."""
        now = time.monotonic()
        if not self._live and self._titles and now - self._told_at >= _NOW_AND_THEN_S:
            self._told_at = now
            say(f"      {self.current()}")

    def _end(self, event: StepEnded) -> None:
        # Two steps may run side by side: it need not be the newest that ends
        at = [title for title, _ in self._titles]
        if event.title in at:
            del self._titles[len(at) - 1 - at[::-1].index(event.title)]
        self._line = ""
        self._hide()
        mark = (
            paint("✓", GREEN, on=self._on) if event.error is None else paint("✗", RED, on=self._on)
        )
        took = paint(f"{event.elapsed_s:.1f} s", DIM, on=self._on)
        note = ("  ", paint(event.note, DIM, on=self._on)) if event.note else ()
        word = "" if event.error is None else "  interrupted" if event.interrupted else "  failed"
        say(line("  ", mark, f" {event.title}  ", took, *note, word))
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
        """Return the running step, its seconds, and the last line of its tool."""
        if not self._titles:
            return ""
        title, started = self._titles[-1]
        tail = f"  {self._line[:100]}" if self._line else ""
        return plain(f"{title}  {time.monotonic() - started:.0f} s{tail}")


class _LiveLine:
    """Rendered again at each refresh, so that the seconds count by themselves."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def __rich__(self) -> "Text":
        from rich.text import Text

        return Text(self._progress.current(), overflow="ellipsis", no_wrap=True)
