"""One hash over files: their names below a folder, whether they can be run, their contents."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path


def digest_of(files: Iterable[Path], folder: Path) -> str:
    """Hash the files' names (below the folder), whether they can be run, and their contents.

    Raises:
        OSError: one of them cannot be read.
    """
    digest = hashlib.sha256()
    for path in files:
        kind, content = _content(path)
        name = path.relative_to(folder).as_posix()
        digest.update(json.dumps([name, kind, content]).encode())
    return digest.hexdigest()


def stamp_of(files: Iterable[Path], folder: Path) -> str:
    """Make the same hash without opening a file: from sizes and times of change.

    Raises:
        OSError: one of them cannot be read.
    """
    digest = hashlib.sha256()
    for path in files:
        found = path.lstat()
        name = path.relative_to(folder).as_posix()
        # A folder's own size and time also change with files in it that are left out
        content = [found.st_size, found.st_mtime_ns] if not path.is_dir() else []
        digest.update(json.dumps([name, found.st_mode, *content]).encode())
    return digest.hexdigest()


def _content(path: Path) -> tuple[str, str]:
    if path.is_symlink():
        return "link", str(path.readlink())
    if not path.is_file():
        return "folder" if path.is_dir() else "other", ""
    with path.open("rb") as stream:
        content = hashlib.file_digest(stream, "sha256").hexdigest()
    return "program" if path.stat().st_mode & 0o111 else "file", content
