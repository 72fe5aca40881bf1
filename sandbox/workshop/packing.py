"""Pack files that are handed out to all seats: one archive, the same whenever it is made again."""

import io
import stat
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox.errors import UsageError
from sandbox.files import fresh_file
from sandbox.workshop.homes import sha256_of

MOST_MB: Final = 100
"""Handed out at once: it goes to each seat, and stays in each home."""
MOST_FILES: Final = 10_000
_MEGABYTE: Final = 1024 * 1024
_MODE_BITS: Final = 0o777


@dataclass(frozen=True)
class _Entry:
    name: str
    path: Path
    found_mode: int
    size_bytes: int


def pack_files(paths: Sequence[Path], folder: Path) -> str:
    """Write an archive of these files and folders into `folder`; return its name.

    Each keeps its own name; what is in a folder keeps its place in it. All is looked at before
    anything is written.

    Raises:
        UsageError: one is not there, is a link or no plain file, or it is too much.
    """
    entries = [
        entry for path in paths for entry in _entries(path, path.name or path.resolve().name)
    ]
    _require_fit(entries)
    with fresh_file(folder / "files.tar") as fresh:
        with tarfile.open(fresh, "w", format=tarfile.GNU_FORMAT) as archive:
            for entry in entries:
                _add(archive, entry)
        name = f"{sha256_of(fresh)[:16]}.tar"
        fresh.chmod(0o600)
        fresh.replace(folder / name)
    return name


def _entries(path: Path, name: str) -> Iterator[_Entry]:
    try:
        found = path.lstat()
        below = sorted(path.iterdir()) if stat.S_ISDIR(found.st_mode) else []
    except OSError as error:
        raise UsageError(f"{path} cannot be handed out: {error.strerror}") from None
    if stat.S_ISLNK(found.st_mode):
        raise UsageError(
            f"{path} cannot be handed out: it is a link",
            details="where a link leads is another place in a seat",
            hint="name the file itself, or put a copy in the place of the link",
        )
    if not (stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode)):
        raise UsageError(f"{path} cannot be handed out: it is no plain file")
    size_bytes = found.st_size if stat.S_ISREG(found.st_mode) else 0
    yield _Entry(name, path, found.st_mode, size_bytes)
    for one in below:
        yield from _entries(one, f"{name}/{one.name}")


def _require_fit(entries: Sequence[_Entry]) -> None:
    seen: set[str] = set()
    for one in entries:
        if one.name in seen:
            raise UsageError(f"two files would be `{one.name}`", hint="push them one by one")
        seen.add(one.name)
        if not one.name.isprintable():
            raise UsageError(f"{one.path!r} cannot be handed out: rename it first")
    size_bytes = sum(one.size_bytes for one in entries)
    if size_bytes > MOST_MB * _MEGABYTE or len(entries) > MOST_FILES:
        much = f"{size_bytes / _MEGABYTE:.0f} MB in {len(entries)} files"
        raise UsageError(
            f"that is too much to hand out: {much}",
            details=f"at most {MOST_MB} MB and {MOST_FILES} files go to every seat at once",
            hint="put large data into the box, where all seats share one copy of it",
        )


def _add(archive: tarfile.TarFile, entry: _Entry) -> None:
    info = tarfile.TarInfo(entry.name)
    info.mode = entry.found_mode & _MODE_BITS
    if stat.S_ISDIR(entry.found_mode):
        info.type = tarfile.DIRTYPE
        archive.addfile(info)
        return
    try:
        content = entry.path.read_bytes()
    except OSError as error:
        raise UsageError(f"{entry.path} cannot be handed out: {error.strerror}") from None
    if len(content) > entry.size_bytes:
        raise UsageError(f"{entry.path} grows while it is read", hint="try it again")
    info.size = len(content)
    archive.addfile(info, io.BytesIO(content))
