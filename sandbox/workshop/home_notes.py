"""What is known of the copies of homes: how old, how large, and why there is no newer one.

`homes.json` in the folder of a workshop. It is written after the copy: a note that is missing or
old after a crash only leads to one more copy.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from sandbox.files import write_whole
from sandbox.saved import BrokenFileError
from sandbox.workshop.store import WorkshopStore

_FILE: Final = "homes.json"


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


class HomeNotes(BaseModel):
    """The notes on all homes, by the number of the seat."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    seats: Mapping[int, HomeNote] = {}

    def of(self, number: int) -> HomeNote:
        """Return the note on a seat's home; an empty one when there is none."""
        return self.seats.get(number, HomeNote())


def home_notes(store: WorkshopStore) -> HomeNotes:
    """Read the notes; none when the file is not there, or damaged: the next copies write them."""
    with suppress(BrokenFileError):
        return store.saved(_FILE, HomeNotes) or HomeNotes()
    return HomeNotes()


def note_home(store: WorkshopStore, number: int, how: Callable[[HomeNote], HomeNote]) -> HomeNote:
    """Change the note on one seat's home, with nobody else at it meanwhile; return the new one."""
    with store.hold("homes"):
        found = home_notes(store)
        before = found.of(number)
        after = how(before)
        if after != before:
            notes = found.model_copy(update={"seats": {**found.seats, number: after}})
            write_whole(store.part() / _FILE, notes.model_dump_json(indent=1))
        return after
