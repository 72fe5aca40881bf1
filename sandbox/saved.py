"""The one reader for files that we saved ourselves: as bytes, and with a limit.

A full disk, an editor or a copy from another machine may have damaged them. The error names a
broken file and how to mend it, and no other command is blocked by that file.
"""

import errno
import json
import os
import stat
import time
from pathlib import Path
from typing import Any, Final, Protocol, Self, TypeVar

from sandbox.errors import HostError

LARGEST_BYTES: Final = 64 * 1024 * 1024
"""The most bytes of such a file: facts of a server with thirty libraries have about 5 MB."""

_DEEPEST: Final = 100
"""Levels of nesting in such a file; Python's own limit depends on the caller."""


class BrokenFileError(HostError):
    """A file of ours that does not hold what we wrote."""

    def __init__(self, path: Path, reason: str, *, message: str = "", hint: str = "") -> None:
        super().__init__(
            message or f"{path} is broken",
            details=f"{path}: {reason}",
            hint=hint or f"move it away and run the command again: mv {path} {path}.broken",
        )
        self.path = path
        self.reason = reason


class Readable(Protocol):
    """A pydantic model; named here so that a reader of plain JSON need not load that library."""

    @classmethod
    def model_validate_json(cls, json_data: bytes) -> Self:
        """Make a model from JSON, or raise a ValueError."""


Model = TypeVar("Model", bound=Readable)


def read_bytes(path: Path) -> bytes | None:
    """Read the bytes of a plain file; None when there is no file.

    Raises:
        BrokenFileError: it is not a file, may not be read, or is larger than any of ours.
    """
    try:
        # Without waiting: a pipe may be in the place of the file
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ENOTDIR:
            return None
        raise BrokenFileError(path, error.strerror or str(error)) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise BrokenFileError(path, "it is not a file")
    with os.fdopen(descriptor, "rb") as file:
        try:
            content = file.read(LARGEST_BYTES + 1)
        except OSError as error:
            raise BrokenFileError(path, error.strerror or str(error)) from error
    if len(content) > LARGEST_BYTES:
        raise BrokenFileError(path, f"it has more than {LARGEST_BYTES // 1024**2} MB")
    return content


def read_text(path: Path) -> str | None:
    """Read the text of a file of ours; None when there is no file.

    Raises:
        BrokenFileError: as in `read_bytes`, or the file is not UTF-8.
    """
    content = read_bytes(path)
    try:
        return None if content is None else content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BrokenFileError(path, f"byte {error.start} is not UTF-8") from error


def read_json(path: Path) -> Any:  # noqa: ANN401  (whatever JSON the file has)
    """Read the JSON in a file; None when there is no file.

    Raises:
        BrokenFileError: as in `read_bytes`, or the file is not JSON, or is nested too deeply.
    """
    text = read_text(path)
    if text is None:
        return None
    try:
        content = json.loads(text)
    except ValueError as error:
        place = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise BrokenFileError(path, f"it is not JSON{place}") from error
    except RecursionError as error:
        raise BrokenFileError(path, "it is nested too deeply") from error
    if not _is_shallow(content):
        raise BrokenFileError(path, "it is nested too deeply")
    return content


def read_saved(
    path: Path, model: type[Model], *, message: str = "", hint: str = ""
) -> Model | None:
    """Read the `model` that was saved in a file; None when there is no file.

    Args:
        path: the path of the file.
        model: the class that the file must hold.
        message: the meaning of the damage for a person, instead of "PATH is broken".
        hint: the command that mends it, instead of moving the file away.

    Raises:
        BrokenFileError: the file holds something else, or cannot be read; `details` says why.
    """
    try:
        content = read_bytes(path)
        return None if content is None else model.model_validate_json(content)
    except BrokenFileError as error:
        raise BrokenFileError(path, error.reason, message=message, hint=hint) from error
    except ValueError as error:
        raise BrokenFileError(path, _reason(error), message=message, hint=hint) from error


Stamp = tuple[int, int, int]
_SETTLED_NS: Final = 50_000_000
"""A file that is younger may be written again at what the kernel takes for the same moment."""


def stamp(path: Path) -> Stamp | None:
    """Return what changes when a file of ours is written anew; None when it is not there."""
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_mtime_ns, about.st_ino, about.st_size


class KnownFiles:
    """Files that are asked for again and again, and read only when they have changed.

    May be used from threads. What is returned is shared, so nobody may change it.
    """

    def __init__(self) -> None:
        self._known: dict[Path, tuple[Stamp, object]] = {}

    def read(
        self, path: Path, model: type[Model], *, message: str = "", hint: str = ""
    ) -> Model | None:
        """Return what `read_saved` does.

        Raises:
            BrokenFileError: as in `read_saved`.
        """
        # Before it is read: when it is replaced meanwhile, it is read again the next time
        now = stamp(path)
        known = self._known.get(path)
        if known is not None and known[0] == now and isinstance(known[1], model):
            return known[1]
        found = read_saved(path, model, message=message, hint=hint)
        if now is not None and found is not None and time.time_ns() - now[0] > _SETTLED_NS:
            self._known[path] = (now, found)
        return found


def text_of(value: object) -> str:
    """Check that a value is text that can be printed.

    Raises:
        TypeError, ValueError: it is not.
    """
    if not isinstance(value, str):
        raise TypeError(type(value).__name__)
    # Half a character, as JSON can hold it: nothing can print that
    value.encode("utf-8")
    return value


def _reason(error: ValueError) -> str:
    """Where the mistake is and its kind; the text itself is not shown."""
    # pydantic's error; not imported for this: a listing of sandboxes works without pydantic
    listed = getattr(error, "errors", None)
    if listed is None:
        return "it holds something else"
    first = listed(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}" if place else str(first["msg"])


def _is_shallow(content: object) -> bool:
    level = [content]
    for _ in range(_DEEPEST):
        level = [child for one in level for child in _children(one)]
        if not level:
            return True
    return False


def _children(content: object) -> list[object]:
    if isinstance(content, dict):
        return list(content.values())
    return content if isinstance(content, list) else []
