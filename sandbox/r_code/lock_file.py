"""renv.lock: the R and the packages that it names. Its text is shown and never obeyed."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox.plain_file import NotPlainError, read_plain

_MAX_BYTES: Final = 10_000_000
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9.]{0,100}\Z")
_VERSION: Final = re.compile(r"[0-9][0-9A-Za-z.+-]{0,40}\Z")
_SOURCE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_. -]{0,40}\Z")


@dataclass(frozen=True)
class LockedPackage:
    """A package as a lock file names it."""

    name: str
    version: str
    source: str
    """Repository, GitHub, Bioconductor; empty when the file does not say."""


@dataclass(frozen=True)
class LockFile:
    """The content of a lock file."""

    path: Path
    r_version: str
    packages: tuple[LockedPackage, ...]
    problem: str = ""
    """Why it could not be read."""


def read_lock_file(folder: Path) -> LockFile | None:
    """Read the renv.lock of a folder; None when it has none."""
    path = folder / "renv.lock"
    if not path.exists():
        return None
    try:
        said = json.loads(read_plain(path, max_bytes=_MAX_BYTES))
    except NotPlainError as error:
        return LockFile(path, "", (), str(error))
    except (ValueError, RecursionError):
        return LockFile(path, "", (), "it is not JSON")
    r = _map(_map(said).get("R"))
    packages = (_package(name, one) for name, one in _map(_map(said).get("Packages")).items())
    return LockFile(
        path,
        _word(r.get("Version"), _VERSION),
        tuple(sorted((one for one in packages if one), key=lambda one: one.name.lower())),
    )


def _package(name: str, said: object) -> LockedPackage | None:
    if not _NAME.match(name):
        return None
    entry = _map(said)
    version, source = _word(entry.get("Version"), _VERSION), _word(entry.get("Source"), _SOURCE)
    return LockedPackage(name, version, source)


def _map(said: object) -> dict[str, object]:
    return said if isinstance(said, dict) else {}


def _word(said: object, shape: re.Pattern[str]) -> str:
    return said if isinstance(said, str) and shape.match(said) else ""
