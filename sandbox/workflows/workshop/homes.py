"""Copies of the seats' homes. A minimal form: the part that makes them takes its place."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sandbox.workflows.workshop.running import RunningWorkshop


@dataclass(frozen=True)
class SavedHome:
    """A copy of a home."""

    file: Path
    size_bytes: int
    sha256: str
    at: datetime


def save_home(ws: RunningWorkshop, number: int, *, set_aside: str = "") -> SavedHome:
    """Copy the home of a seat."""
    raise NotImplementedError((ws, number, set_aside))


def lay_home(ws: RunningWorkshop, machine: str, archive: Path) -> None:
    """Lay a copy of a home into a machine."""
    del ws, machine, archive
