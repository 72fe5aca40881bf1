"""Reading a file that somebody else has named: only a regular file, and only up to a limit.

A name out of a box may lead to a fifo that nobody writes to, to a device without an end, or to
a file that the kernel makes up about this very process. None of these is ever opened for reading.
"""

import os
import stat
from pathlib import Path
from typing import Final

NO_SUCH_FILE: Final = "there is no such file"

_OF_THE_KERNEL: Final = tuple(Path(name) for name in ("/proc", "/sys", "/dev"))
"""Folders with files that the kernel makes up: /proc/self/environ holds our secrets."""


class NotPlainError(Exception):
    """The path is not a file that may be read; the message says why, and quotes none of it."""


class TooLargeError(NotPlainError):
    """The path is a file, but larger than the limit."""


def not_a_file(path: Path) -> str | None:
    """Say why `path` is not a file that can be read; None when it is one."""
    try:
        mode = path.stat().st_mode
        is_made_up = is_of_the_kernel(path)
    except (OSError, ValueError, RuntimeError) as error:  # ValueError: a NUL in the name
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            return NO_SUCH_FILE
        return f"it cannot be read: {getattr(error, 'strerror', error)}"
    if is_made_up:
        return "it is not a file on a disk: the kernel makes it up"
    return _kind(mode)


def is_of_the_kernel(path: Path) -> bool:
    """Tell whether `path` leads into a file system that the kernel makes up; follows links."""
    real = Path(os.path.realpath(path))
    return any(real.is_relative_to(folder) for folder in _OF_THE_KERNEL)


def read_plain(path: Path, *, max_bytes: int, follow: bool = True) -> bytes:
    """Read all bytes of a regular file; without `follow`, a link is refused.

    Raises:
        NotPlainError: it is not a regular file, cannot be read, or is larger than `max_bytes`.
    """
    if (wrong := not_a_file(path)) is not None:
        raise NotPlainError(wrong)
    try:
        # What was a file a moment ago may be a fifo now: that must not wait for a writer
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        descriptor = os.open(path, flags | (0 if follow else os.O_NOFOLLOW))
        with os.fdopen(descriptor, "rb") as stream:
            if (wrong := _kind(os.fstat(descriptor).st_mode)) is not None:
                raise NotPlainError(wrong)
            data = stream.read(max_bytes + 1)
    except OSError as error:
        raise NotPlainError(f"it cannot be read: {error.strerror}") from error
    if len(data) > max_bytes:
        raise TooLargeError(f"it is larger than {max_bytes // 1024} kB")
    return data


def _kind(mode: int) -> str | None:
    if stat.S_ISREG(mode):
        return None
    return "it is a folder, not a file" if stat.S_ISDIR(mode) else "it is not a plain file"
