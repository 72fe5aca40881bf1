"""Locks among our commands. The kernel keeps them: a lock ends with the process that holds it.

A lock is on a file made for it, or on a folder. The holder may write into the file who holds it. A
file may be removed while its lock is held; from then on that lock protects nothing, and a process
that waited for the lock makes a new file. A lock `of` a folder that is not there, or not any more,
takes its file with it: to ask about what does not exist leaves nothing.
"""

import fcntl
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

from sandbox.files import private_folder
from sandbox.paths import state_dir

_MOST_BYTES = 500
"""The most bytes that are read of what the holder has written into a lock's file."""


class HeldError(Exception):
    """Another process holds the lock."""

    def __init__(self, path: Path, words: str) -> None:
        self.words = words
        """What the holder has written into the lock's file, if anything."""
        super().__init__(f"another process holds {path}")


class Lock:
    """A lock that this process holds, until the lock is released."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor: int | None = descriptor
        self._of: Path | None = None

    def sign(self, words: str) -> None:
        """Write into the file who holds the lock, for those who are refused."""
        if self._descriptor is not None:
            os.truncate(self._descriptor, 0)
            os.pwrite(self._descriptor, words.encode(), 0)

    def remove_file(self) -> None:
        """Remove the file while the lock is held, when nobody will need it again."""
        self.path.unlink(missing_ok=True)

    def protect(self, of: Path | None) -> Self:
        """Note the folder that the lock protects: the file stays only as long as that is there."""
        self._of = of
        return self

    def release(self) -> None:
        """Let the next process have the lock; a second call does nothing."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        try:
            if self._of is not None and not self._of.exists() and _is_at(self.path, descriptor):
                self.remove_file()
        finally:
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def lock_path(name: str) -> Path:
    """Return the file `locks/NAME.lock` of the state folder; make the folder if it is missing.

    Raises:
        OSError: the folder cannot be made, or belongs to somebody else and is open.
    """
    return private_folder(state_dir() / "locks", state_dir()) / f"{name}.lock"


def hold(path: Path, *, of: Path | None = None, on_wait: Callable[[], None] | None = None) -> Lock:
    """Hold the lock on `path`, as soon as nobody else does; leaving a `with` releases the lock.

    Args:
        path: a folder, or a file that is made where there is none.
        of: the folder that it protects; without that folder the file goes with the lock.
        on_wait: called before the waiting begins, when somebody else holds the lock.

    Raises:
        OSError: the file cannot be made or opened.
    """
    if on_wait is not None:
        try:
            return hold_now(path, of=of)
        except HeldError:
            on_wait()
    while (lock := _take(path, fcntl.LOCK_EX)) is None:
        pass
    return lock.protect(of)


def hold_now(path: Path, *, of: Path | None = None) -> Lock:
    """Hold the lock on `path` without waiting; leaving a `with` releases the lock.

    Args:
        path: as in `hold`.
        of: as in `hold`.

    Raises:
        HeldError: somebody else holds it; the error says who.
        OSError: the file cannot be made or opened.
    """
    while (lock := _take(path, fcntl.LOCK_EX | fcntl.LOCK_NB)) is None:
        pass
    return lock.protect(of)


def _take(path: Path, how: int) -> Lock | None:
    """The lock; None when its file was removed before we got the lock."""
    # For writing: over NFS such a lock needs that. A folder can only be opened for reading
    flags = os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT
    lock = Lock(path, descriptor := os.open(path, flags | os.O_CLOEXEC, 0o600))
    try:
        fcntl.flock(descriptor, how)
        if _is_at(path, descriptor):
            return lock
    except BlockingIOError:
        words = _words(descriptor)
        lock.release()
        raise HeldError(path, words) from None
    except BaseException:
        # Interrupted while it waited
        lock.release()
        raise
    lock.release()
    return None


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether the open file is still the one of that name."""
    with suppress(FileNotFoundError):
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    return False


def _words(descriptor: int) -> str:
    with suppress(IsADirectoryError):
        return os.pread(descriptor, _MOST_BYTES, 0).decode(errors="replace")
    return ""
