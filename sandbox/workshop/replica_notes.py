"""What is known of the replicas of seats: which one holds a seat's machine whole, and since when.

`replicas.json` in the folder of a workshop. A replica counts only once it stands here, and is
written here last: what a command that was cut off has left counts for nothing, and is removed.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from pydantic import BaseModel, ConfigDict

from sandbox.workshop.seat_map import Seat
from sandbox.workshop.seat_notes import NotesFile, SeatNotes
from sandbox.workshop.store import WorkshopStore


class ReplicaNote(BaseModel):
    """What is known of the replica of one seat."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    begun: int = 0
    """The number in the name of the last replica that was begun: no name is used twice."""
    holders: int = 0
    """How often the seat was given to somebody: a copy that was begun before it is of no use."""
    name: str = ""
    """The replica, which is whole; empty while there is none."""
    member: str = ""
    """The server that carries it."""
    generation: int = 0
    """Of the machine that it is a copy of."""
    taken_at: datetime | None = None
    """The machine was so at this moment, or a little later."""
    took_s: float = 0.0
    trouble: str = ""
    """Why the newest try gave no copy; empty when it did."""
    trouble_at: datetime | None = None

    def is_of(self, seat: Seat) -> bool:
        """Tell whether there is a whole replica, elsewhere, of the machine that serves the seat.

        One of an earlier machine never counts: the seat was put back, or moved.
        """
        return bool(self.name) and self.generation == seat.generation and self.member != seat.member

    def without(self) -> "ReplicaNote":
        """Return the note without a replica; its numbers go on."""
        return ReplicaNote(begun=self.begun, holders=self.holders)


class ReplicaNotes(SeatNotes[ReplicaNote]):
    """The notes on all replicas."""

    def _empty(self) -> ReplicaNote:
        return ReplicaNote()


_NOTES: Final = NotesFile("replicas.json", "replica-notes", ReplicaNotes)


def replica_notes(store: WorkshopStore) -> SeatNotes[ReplicaNote]:
    """Read the notes; none when the file is not there, or damaged: then there is no replica."""
    return _NOTES.read(store)


def note_replica(
    store: WorkshopStore, number: int, how: Callable[[ReplicaNote], ReplicaNote]
) -> ReplicaNote:
    """Change the note on one seat's replica, with nobody else at it; return the new one."""
    return _NOTES.change(store, number, how)


def forget_replica(store: WorkshopStore, number: int) -> None:
    """Let nothing be made from the seat's replica any more, nor from one that is being copied.

    For a seat that another person gets: from before that, it has the other's password and logins.
    """
    note_replica(
        store,
        number,
        lambda note: note.without().model_copy(update={"holders": note.holders + 1}),
    )
