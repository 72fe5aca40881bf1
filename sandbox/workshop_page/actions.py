"""What the trainer's page asks of the workflows: the one place that knows their names."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sandbox.workflows.workshop.running import RunningWorkshop
from sandbox.workshop.view import WorkshopView


@dataclass(frozen=True)
class SeatInside:
    """What is seen inside a seat without logging in there."""

    files: str
    """A line for each file of the home, the newest first."""
    log: str
    processes: str


@dataclass(frozen=True)
class Actions:
    """Each may raise SandboxError, and runs in a thread; a text is what the trainer reads after."""

    view: Callable[[RunningWorkshop], WorkshopView]
    inside: Callable[[RunningWorkshop, int], SeatInside]
    reset: Callable[[RunningWorkshop, int, bool], str]
    """With True the home comes back into the new machine."""
    restart: Callable[[RunningWorkshop, int], str]
    save_home: Callable[[RunningWorkshop, int], Path]
    """Returns the archive."""
    push: Callable[[RunningWorkshop, Sequence[Path], str, int | None], str]
    """Files, the folder in the home, and one seat or all."""
    collect: Callable[[RunningWorkshop], str]
    exercises: Callable[[RunningWorkshop, int | None], str]
    add: Callable[[RunningWorkshop, int], str]
    extend: Callable[[RunningWorkshop, datetime], str]
