"""Write files that are whole or not there at all, and make folders only their owner can use.

This holds for every umask: with a umask of 0, everybody could use every new file.
"""

import os
import re
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PRIVATE_FILE = 0o600
_PRIVATE_FOLDER = 0o700


def write_whole(path: Path, text: str) -> None:
    """Write a file of ours, readable by its owner alone; a reader sees the old one or the new one.

    Raises:
        OSError: there is no room, or no permission; the old file is still there.
    """
    _replace(path, text, mode=_PRIVATE_FILE)


def hand_over(path: Path, text: str) -> None:
    """Write a file that the user has named, with the old file's permissions or the usual ones.

    Something that is not a file (`/dev/stdout`, a pipe) is written to; a link stays a link.

    Raises:
        OSError: there is no room, or no permission; the old file is still there.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        mode = None
    if mode is not None and not stat.S_ISREG(mode):
        path.write_text(text, encoding="utf-8")
        return
    real = path.resolve()
    sweep(real)
    if mode is None:
        _replace(real, text, mode=0o666, exactly=False)
    else:
        _replace(real, text, mode=stat.S_IMODE(mode))


def private_folder(folder: Path, below: Path) -> Path:
    """Make `folder`, and the missing folders between it and `below`, for their owner alone.

    A folder that is there already and open to others is closed to them.

    Raises:
        OSError: a folder cannot be made, or belongs to somebody else and is open.
    """
    below.parent.mkdir(parents=True, exist_ok=True)
    between = [one for one in folder.parents if one.is_relative_to(below)]
    for one in (*reversed(between), folder):
        with suppress(FileExistsError):
            one.mkdir(mode=_PRIVATE_FOLDER)
        if stat.S_IMODE(one.stat().st_mode) != _PRIVATE_FOLDER:
            one.chmod(_PRIVATE_FOLDER)
    return folder


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield the name of a new file that becomes `path`, in one moment, when the block ends.

    When the block ends with an error, the old file is still there, and nothing else.
    """
    with fresh_file(path) as fresh:
        yield fresh
        fresh.replace(path)


@contextmanager
def fresh_file(beside: Path) -> Iterator[Path]:
    """Yield the name of a new file for the block to move away; it is removed at the end.

    Its name is made of that of `beside`, so that `sweep` finds what a killed command has left.
    """
    fresh = beside.with_name(f".{beside.name}.{os.getpid()}-{threading.get_ident()}.new")
    fresh.unlink(missing_ok=True)
    try:
        yield fresh
    finally:
        fresh.unlink(missing_ok=True)


def _replace(path: Path, text: str, *, mode: int, exactly: bool = True) -> None:
    """Write the whole file onto the disk; `mode` is subject to the umask unless exact."""
    with whole_file(path) as fresh:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            if exactly:
                os.fchmod(file.fileno(), mode)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())


def shorten(log: Path, most_bytes: int) -> None:
    """Keep only the newest half of a log that has become larger than this.

    Those who write it append, and go on; a line that comes this very moment may be lost.
    """
    try:
        size = log.stat().st_size
        if size <= most_bytes:
            return
        with log.open("r+b") as file:
            file.seek(size - most_bytes // 2)
            newest = file.read(most_bytes).partition(b"\n")[2]
            file.truncate(0)
        with log.open("ab") as file:
            file.write(newest)
    except FileNotFoundError:
        return


def sweep(path: Path) -> None:
    """Remove temporary files that killed commands have left next to `path`."""
    wanted = re.compile(rf"\.{re.escape(path.name)}\.([0-9]+)-[0-9]+\.new")
    for one in path.parent.iterdir():
        found = wanted.fullmatch(one.name)
        if found is not None and not Path(f"/proc/{found[1]}").exists():
            one.unlink(missing_ok=True)
