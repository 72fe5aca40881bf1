"""What the steps of a workflow report; the CLI decides how to show it.

A step never prints. It calls `listener(event)`; a listener is any callable. `step(...)` is the
usual way: it reports the start, the end or the failure, and the time between.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sandbox.interrupts import Interrupted


@dataclass(frozen=True)
class StepStarted:
    """A step that may take a while begins."""

    sandbox: str
    title: str


@dataclass(frozen=True)
class StepOutput:
    """One line of a running step's tool output; shown live on a terminal, always logged."""

    sandbox: str
    line: str


@dataclass(frozen=True)
class StepEnded:
    """A step has ended. `error` is None when it went well; `note` is its result in a few words."""

    sandbox: str
    title: str
    elapsed_s: float
    error: str | None = None
    note: str = ""
    interrupted: bool = False
    """Whether somebody ended the step: then nothing is wrong with it."""


@dataclass(frozen=True)
class Notice:
    """A line that the user should see: a warning, or a choice made for the user."""

    sandbox: str
    text: str


Event = StepStarted | StepOutput | StepEnded | Notice
Listener = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Do nothing with the event: for those who do not listen."""
    del event


@dataclass
class StepNote:
    """Lets the body of a step state its result."""

    text: str = ""


@contextmanager
def step(listener: Listener, sandbox: str, title: str) -> Iterator[StepNote]:
    """Report `title` as started, then as ended or failed, with the seconds between."""
    started = time.monotonic()
    listener(StepStarted(sandbox, title))
    note = StepNote()
    try:
        yield note
    except BaseException as error:
        text, elapsed_s = str(error) or type(error).__name__, time.monotonic() - started
        stopped = isinstance(error, Interrupted | KeyboardInterrupt)
        listener(StepEnded(sandbox, title, elapsed_s, error=text, interrupted=stopped))
        raise
    listener(StepEnded(sandbox, title, time.monotonic() - started, note=note.text))
