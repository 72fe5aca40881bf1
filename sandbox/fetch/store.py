"""The files that this host has fetched, each under its SHA-256; and which of them an address gave.

A file is moved in whole, and its checksum is computed again before each use: a damaged one is
removed. The folder is a part of the cache: all of it can be fetched again.
"""

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from sandbox.files import fresh_file, private_folder, sweep, write_whole
from sandbox.locks import HeldError, Lock, hold, hold_now
from sandbox.paths import cache_dir

_SHA256: Final = re.compile(r"[0-9a-f]{64}")


class SourceNote(BaseModel):
    """Which bytes an address gave."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    """The public address, for people who look; the note's own name is what counts."""
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class StoredFile:
    """A file in the store."""

    path: Path
    sha256: str
    size_bytes: int
    used_at: datetime


class Store:
    """A folder of files by checksum, shared by all commands of this user."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder if folder is not None else cache_dir() / "fetched"

    def path_of(self, sha256: str) -> Path:
        """Return the place of the file with that checksum, whether it is there or not."""
        if not _SHA256.fullmatch(sha256):
            raise ValueError("a SHA-256 has 64 digits and letters from a to f")
        return self.folder / "files" / sha256[:2] / sha256

    def find(self, sha256: str) -> Path | None:
        """Return the whole file with that checksum; a damaged one is removed."""
        path = self.path_of(sha256)
        try:
            if sha256_of(path) == sha256:
                os.utime(path)
                return path
        except FileNotFoundError:
            return None
        path.unlink(missing_ok=True)
        return None

    def noted(self, origin: str) -> SourceNote | None:
        """Return what the store knows of an address; None when that is nothing, or damaged."""
        try:
            note = SourceNote.model_validate_json(self._note_path(origin).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None
        return note if _SHA256.fullmatch(note.sha256) else None

    def note(self, origin: str, note: SourceNote) -> None:
        """Remember which bytes an address gave.

        Raises:
            OSError: there is no room on the disk, or the folder is not ours.
        """
        path = self._note_path(origin)
        self._private(path.parent)
        write_whole(path, note.model_dump_json() + "\n")

    def hold(self, origin: str, *, on_wait: Callable[[], None]) -> Lock:
        """Hold the lock of an address while its bytes are fetched.

        Raises:
            OSError: the folder cannot be made, or is not ours.
        """
        place = self._incoming(origin)
        lock = hold(place.with_suffix(".lock"), on_wait=on_wait)
        # What a command that was killed has left of this very file
        sweep(place)
        return lock

    @contextmanager
    def incoming(self, origin: str) -> Iterator[Path]:
        """Yield the name of a new file for the bytes of an address; `keep` moves it in.

        Raises:
            OSError: there is no room on the disk, or the folder is not ours.
        """
        with fresh_file(self._incoming(origin)) as fresh:
            fresh.touch(mode=0o600)
            yield fresh

    def keep(self, fresh: Path, sha256: str) -> Path:
        """Move a file in whose checksum was computed while it came.

        Raises:
            OSError: the folder is not ours.
        """
        path = self.path_of(sha256)
        self._private(path.parent)
        fresh.replace(path)
        return path

    def files(self) -> tuple[StoredFile, ...]:
        """List all files, the last used first; without computing checksums."""
        found = []
        for path in self.folder.glob("files/*/*"):
            with suppress(FileNotFoundError):
                status = path.stat()
                used_at = datetime.fromtimestamp(status.st_mtime, UTC)
                found.append(StoredFile(path, path.name, status.st_size, used_at))
        return tuple(sorted(found, key=lambda one: one.used_at, reverse=True))

    def remove(self, sha256s: frozenset[str]) -> None:
        """Remove files, the notes about them, and what killed commands have left.

        Raises:
            OSError: they are not ours to remove.
        """
        for path in (self.folder / "notes").glob("*.json"):
            with suppress(FileNotFoundError, ValidationError):
                if SourceNote.model_validate_json(path.read_bytes()).sha256 not in sha256s:
                    continue
            path.unlink(missing_ok=True)
        for sha256 in sha256s:
            self.path_of(sha256).unlink(missing_ok=True)
        for path in (self.folder / "incoming").glob(".*.new"):
            sweep(path.with_name(path.name[1:].split(".")[0]))
        for path in (self.folder / "incoming").glob("*.lock"):
            with suppress(HeldError), hold_now(path) as lock:
                lock.remove_file()

    def _note_path(self, origin: str) -> Path:
        return self.folder / "notes" / f"{_digest(origin)}.json"

    def _incoming(self, origin: str) -> Path:
        return self._private(self.folder / "incoming") / _digest(origin)

    def _private(self, folder: Path) -> Path:
        return private_folder(folder, self.folder.parent)


def sha256_of(path: Path) -> str:
    """Compute the checksum of a file.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
