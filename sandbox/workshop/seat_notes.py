"""A note on each seat, in a JSON file of the workshop's folder: read whole, changed one by one."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from sandbox.files import write_whole
from sandbox.saved import BrokenFileError
from sandbox.workshop.store import WorkshopStore

Note = TypeVar("Note", bound=BaseModel)


class SeatNotes(BaseModel, Generic[Note]):
    """The notes, by the number of the seat."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    seats: Mapping[int, Note] = {}

    def of(self, number: int) -> Note:
        """Return the note on a seat; an empty one when there is none."""
        return self.seats[number] if number in self.seats else self._empty()

    def _empty(self) -> Note:
        raise NotImplementedError


@dataclass(frozen=True)
class NotesFile(Generic[Note]):
    """Where notes of one kind are. One that is missing, or in a damaged file, is an empty one."""

    name: str
    lock: str
    """What a change of it holds, so that no other one is lost."""
    model: type[SeatNotes[Note]]

    def read(self, store: WorkshopStore) -> SeatNotes[Note]:
        """Read all notes."""
        with suppress(BrokenFileError):
            return store.saved(self.name, self.model) or self.model()
        return self.model()

    def change(self, store: WorkshopStore, number: int, how: Callable[[Note], Note]) -> Note:
        """Change the note on one seat, with nobody else at it meanwhile; return the new one."""
        with store.hold(self.lock):
            found = self.read(store)
            before = found.of(number)
            after = how(before)
            if after != before:
                notes = found.model_copy(update={"seats": {**found.seats, number: after}})
                write_whole(store.part() / self.name, notes.model_dump_json(indent=1))
            return after
