"""The journal of `host setup`: each change is written down before and after it is made.

A run that was cut off anywhere leaves at most one entry that is not `done`. Setup goes on from
there, and teardown takes back both kinds. The file is written whole or not at all.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from sandbox.errors import BusyError, HostError
from sandbox.files import private_folder, write_whole
from sandbox.locks import HeldError, hold_now
from sandbox.paths import state_dir
from sandbox.saved import read_saved


class ChangeKind(StrEnum):
    """The changes that `host setup` can make, in the order it makes them."""

    REPAIR = "repair"
    SOURCE = "source"
    PACKAGES = "packages"
    DEVICE = "device"
    DAEMON = "daemon"
    GROUP = "group"
    POOL = "pool"
    NETWORK = "network"
    PROJECT = "project"
    PROFILE = "profile"
    FIREWALL = "firewall"
    LIMITS = "limits"


class Made(BaseModel):
    """One change: begun (`done` is False) or made."""

    model_config = ConfigDict(frozen=True)

    kind: ChangeKind
    names: tuple[str, ...] = ()
    """The names of what was made: packages, a file, a user, a provider's object."""
    done: bool = False


class JournalFile(BaseModel):
    """The content of the journal's file."""

    model_config = ConfigDict(frozen=True)

    format: int = 1
    prefix: str
    made: tuple[Made, ...] = ()


def host_dir() -> Path:
    """Return the folder of the host's journals, logs and lock."""
    return state_dir() / "host"


class Journal:
    """The journal of one prefix."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.path = host_dir() / f"{prefix}.json"

    def entries(self) -> tuple[Made, ...]:
        """Read the changes that were made, in order.

        Raises:
            HostError: the file is there and cannot be read.
        """
        return self._read().made

    def names(self, kind: ChangeKind) -> tuple[str, ...]:
        """Return the names kept for `kind`; empty when there is no such entry."""
        return next((entry.names for entry in self.entries() if entry.kind is kind), ())

    def has(self, kind: ChangeKind) -> bool:
        """Tell whether a change of this kind was begun."""
        return any(entry.kind is kind for entry in self.entries())

    def unfinished(self, kind: ChangeKind) -> bool:
        """Tell whether a change of this kind was begun, but not finished."""
        return any(entry.kind is kind and not entry.done for entry in self.entries())

    def intend(self, kind: ChangeKind, names: tuple[str, ...]) -> None:
        """Write down the next change. Names of an earlier, unfinished try are kept."""
        kept = self.names(kind)
        merged = (*kept, *(name for name in names if name not in kept))
        self._put(Made(kind=kind, names=merged))

    def done(self, kind: ChangeKind) -> None:
        """Write down that the change was made."""
        self._put(Made(kind=kind, names=self.names(kind), done=True))

    def settle(self) -> None:
        """Mark all begun changes as made, because the host shows that they are in place."""
        record = self._read()
        if any(not entry.done for entry in record.made):
            settled = tuple(entry.model_copy(update={"done": True}) for entry in record.made)
            self._write(record.model_copy(update={"made": settled}))

    def forget(self, kind: ChangeKind) -> None:
        """Write down that the change was taken back."""
        record = self._read()
        left = tuple(entry for entry in record.made if entry.kind is not kind)
        if left:
            self._write(record.model_copy(update={"made": left}))
        else:
            self.path.unlink(missing_ok=True)

    def _put(self, made: Made) -> None:
        record = self._read()
        known = [entry.kind for entry in record.made]
        entries = list(record.made)
        if made.kind in known:
            entries[known.index(made.kind)] = made
        else:
            entries.append(made)
        self._write(record.model_copy(update={"made": tuple(entries)}))

    def _read(self) -> JournalFile:
        found = read_saved(
            self.path,
            JournalFile,
            message=f"cannot read {self.path}, the journal of what was set up here",
            hint=f"move it away (mv {self.path} {self.path}.broken) and run the command again",
        )
        return found if found is not None else JournalFile(prefix=self.prefix)

    def _write(self, record: JournalFile) -> None:
        try:
            private_folder(self.path.parent, state_dir())
            # The entry must be on the disk before the change itself begins
            write_whole(self.path, record.model_dump_json(indent=2) + "\n")
        except OSError as error:
            raise HostError(f"cannot write {self.path}", details=str(error)) from error


@contextmanager
def setup_lock() -> Iterator[None]:
    """Allow only one setup or teardown of this user at a time; the lock ends with its process.

    Raises:
        BusyError: another one is at work.
    """
    folder = private_folder(host_dir(), state_dir())
    try:
        lock = hold_now(folder / "lock")
    except HeldError as error:
        raise BusyError(
            "another `sandbox host` command is at work here",
            hint="wait for it to end, then run the command again",
        ) from error
    with lock:
        yield
