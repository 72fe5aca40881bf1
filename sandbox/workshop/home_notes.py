"""What is known of the copies of homes: how old, how large, and why there is no newer one.

`homes.json` in the folder of a workshop. It is written after the copy: a note that is missing or
old after a crash only leads to one more copy.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from pydantic import BaseModel, ConfigDict

from sandbox.workshop.seat_notes import NotesFile, SeatNotes
from sandbox.workshop.store import WorkshopStore


class HomeNote(BaseModel):
    """What is known of the copy of one seat's home."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    generation: int = 0
    """The newest machine of the seat whose home this copy stands for; 0: there is no copy."""
    machine: str = ""
    """The machine that it was taken from."""
    clock: int = 0
    """That machine's own clock when the copy began; what changed later is not in it."""
    taken_at: datetime | None = None
    """When the copy began, by this host's clock."""
    seen_at: datetime | None = None
    """When the home was last seen to be as this copy has it."""
    size_bytes: int = 0
    sha256: str = ""
    unreadable: int = 0
    """Files that their own account may not read: they are in no copy."""
    trouble: str = ""
    """Why the newest try gave no copy; empty when it did."""
    trouble_at: datetime | None = None


class HomeNotes(SeatNotes[HomeNote]):
    """The notes on all homes."""

    def _empty(self) -> HomeNote:
        return HomeNote()


_NOTES: Final = NotesFile("homes.json", "homes", HomeNotes)


def home_notes(store: WorkshopStore) -> SeatNotes[HomeNote]:
    """Read the notes; none when the file is not there, or damaged: the next copies write them."""
    return _NOTES.read(store)


def note_home(store: WorkshopStore, number: int, how: Callable[[HomeNote], HomeNote]) -> HomeNote:
    """Change the note on one seat's home, with nobody else at it meanwhile; return the new one."""
    return _NOTES.change(store, number, how)
