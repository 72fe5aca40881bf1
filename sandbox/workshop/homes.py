"""The home of a seat as an archive: what goes in, how much it may be, and the list that proves it.

Only `tar` and `du` run in the seat. Caches are left out: they are large, and make themselves again.
"""

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

CACHES: Final = (
    ".cache",
    ".local/share/Trash",
    ".local/share/rstudio/history_database.lock",
    ".local/share/rstudio/suspended-session-data",
    ".Rproj.user",
    "node_modules",
    "*.sandbox-part",
)
"""Left out of every copy, at any depth."""
TOO_LARGE: Final = 3
"""The exit code of the script when the home has more than it may."""
FORMAT: Final = 1
_CHUNK_BYTES: Final = 1024 * 1024
_SIZE: Final = re.compile(r"size_mb ([0-9]+)")

# $1 the account, $2 the most megabytes, the rest patterns. Nothing of the home is run or sourced
SAVE_HOME: Final = f"""\
set -eu
account=$1 most=$2
shift 2
home=$(getent passwd "$account" | cut -d: -f6)
[ -d "$home" ] || {{ echo "no home of $account" >&2; exit 1; }}
for pattern in "$@"; do set -- "$@" "--exclude=$pattern"; shift; done
size=$(du -sxm "$@" -- "$home" 2>/dev/null | cut -f1)
echo "size_mb $size" >&2
[ "$size" -le "$most" ] || exit {TOO_LARGE}
# A file that changes meanwhile is no failure: the next copy has it whole
tar --create --one-file-system --warning=no-file-changed --warning=no-file-removed \\
  --warning=no-file-ignored --directory "$home" "$@" -- . || [ $? -eq 1 ]
"""
# $1 the account; the archive comes on stdin
LAY_HOME: Final = """\
set -eu
account=$1
home=$(getent passwd "$account" | cut -d: -f6)
[ -d "$home" ] || { echo "no home of $account" >&2; exit 1; }
# As the account itself: no link in its home can lead anywhere that it may not write
exec setpriv --reuid "$account" --regid "$(id -g "$account")" --init-groups --reset-env \\
  tar --extract --no-same-owner --directory "$home"
"""


class CollectedHome(BaseModel):
    """One archive of a seat's home."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seat: str
    name: str
    """The person's name; empty for a spare seat."""
    email: str
    file: str
    """The archive's name, next to the manifest."""
    size_bytes: int
    sha256: str
    taken_at: datetime
    is_old: bool = False
    """The seat did not answer: this is the last copy of before."""


class HomesManifest(BaseModel):
    """The list of the archives of one `collect`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = FORMAT
    workshop: str
    homes: tuple[CollectedHome, ...]
    missing: tuple[str, ...] = ()
    """Seats of which there is no archive at all."""

    def sums(self) -> str:
        """Write the checksums as `sha256sum --check` reads them."""
        return "".join(f"{one.sha256}  {one.file}\n" for one in self.homes)


def save_words(account: str, max_mb: int) -> tuple[str, ...]:
    """Return the words after `sh -c SAVE_HOME sh`."""
    return (account, str(max_mb), *CACHES)


def size_said(stderr: str) -> int | None:
    """Read the home's size, in MB, from what the script said; None when it did not."""
    found = _SIZE.search(stderr)
    return int(found[1]) if found else None


def sha256_of(path: Path) -> str:
    """Count the checksum of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def differing(folder: Path, manifest: HomesManifest) -> Sequence[str]:
    """List the archives in the folder that are not those of the manifest, or not there."""
    return [
        one.file
        for one in manifest.homes
        if not (folder / one.file).is_file() or sha256_of(folder / one.file) != one.sha256
    ]
