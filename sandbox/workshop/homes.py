"""The home of a seat as an archive: what goes in, how much it may be, and the list that proves it.

Only plain tools run in the seat, as the account itself, so that nothing gets into an archive, or is
written from one, that the account could not read or write anyhow. Files, folders and links go in;
pipes, sockets and devices do not. Caches are left out: they are large, and make themselves again.
"""

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
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
UNCHANGED: Final = 4
"""The exit code when nothing in the home has changed since the last copy."""
PARTLY: Final = 5
"""The exit code of LAY_HOME when some of the archive could not be laid."""
FORMAT: Final = 1
SCRIPT_S: Final = 150.0
"""The script ends by itself before that."""
_CHUNK_BYTES: Final = 1024 * 1024
_MEGABYTE: Final = 1024 * 1024
_BLOCK_BYTES: Final = 512
_END_BYTES: Final = 2 * _BLOCK_BYTES
_NUMBER: Final = "([0-9]{1,15})"
_LOOK: Final = re.compile(
    rf"^home size_mb={_NUMBER} files={_NUMBER} unreadable={_NUMBER} clock={_NUMBER}$", re.MULTILINE
)

_AS_ACCOUNT: Final = """\
set -eu
account=$1
home=$(getent passwd "$account" | cut -d: -f6)
[ -d "$home" ] || { echo "no home of $account" >&2; exit 1; }
as_account() {
  setpriv --reuid "$account" --regid "$(id -g "$account")" --init-groups --reset-env "$@"
}
"""
# $1 the account, $2 the most megabytes, $3 the seat's clock at the last copy, the rest patterns.
# The change time of a file cannot be set back; a file that is removed or renamed changes its folder
SAVE_HOME: Final = f"""\
{_AS_ACCOUNT}most=$2 since=$3
shift 3
cd "$home"
for pattern in "$@"; do set -- "$@" -path "*/$pattern" -prune -o; shift; done
clock=$(date +%s)
told=$(
  {{
    as_account timeout 60 find . -xdev "$@" -type f ! -readable -printf 'unreadable\n' -o \
      '(' -type f -o -type d -o -type l ')' -printf '%C@ %k\n' 2>/dev/null
    echo "ended $?"
  }} | awk -v since="$since" '
    $1 == "ended" {{ ended = $2; next }}
    $1 == "unreadable" {{ unreadable += 1; next }}
    {{ files += 1; size += $2; if ($1 + 0 >= since + 0) newer += 1 }}
    END {{ printf "%.0f %.0f %.0f %.0f %d", size / 1024, files, unreadable, newer, ended }}'
)
set -- "$told" "$@"
read -r size files unreadable newer ended <<END
$1
END
shift
# Folders that nobody may enter end it with 1; a home of millions of files with 124
[ "$ended" -le 1 ] || {{ echo "looking at all files took more than a minute" >&2; exit 1; }}
echo "home size_mb=$size files=$files unreadable=$unreadable clock=$clock" >&2
[ "$newer" -gt 0 ] || [ "$clock" -lt "$since" ] || exit {UNCHANGED}
[ "$size" -le "$most" ] || exit {TOO_LARGE}
# One byte more than it may have tells that it was cut
bytes=$((most * {_MEGABYTE} + 1))
exec 4>&1
status=$(
  {{
    {{
      as_account find . -xdev "$@" '(' -type f -o -type d -o -type l ')' -print0 2>/dev/null |
        as_account timeout 80 tar --create --sparse --null --no-recursion --files-from=- \
          --ignore-failed-read 2>/dev/null && echo 0 >&3 || echo $? >&3
    }} | head -c "$bytes" >&4
  }} 3>&1
)
case $status in
0 | 1) ;; # 1: a file changed meanwhile; the next copy has it whole
124) echo "packing took more than 80 s" >&2; exit 1 ;;
141) exit {TOO_LARGE} ;;
*) exit 1 ;;
esac
"""
# $1 the account; the archive comes on stdin. It has the home itself as its first folder: what was
# there before goes
LAY_HOME: Final = f"""\
{_AS_ACCOUNT}cd "$home"
said=$(
  {{
    as_account timeout 120 tar --extract --no-same-owner --same-permissions \\
      --recursive-unlink --warning=no-timestamp 2>&1 || echo "tar ended with $?"
  }} | tail -c 2000
)
[ -z "$said" ] || {{ printf '%s\\n' "$said" >&2; exit {PARTLY}; }}
"""


@dataclass(frozen=True)
class HomeLook:
    """What the script saw of a home before it packed it."""

    size_mb: int
    files: int
    unreadable: int
    """Files that their own account may not read: they are in no copy."""
    clock: int
    """The seat's clock as it began, in seconds."""


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


def save_words(account: str, max_mb: int, since: int = 0) -> tuple[str, ...]:
    """Return the words after `sh -c SAVE_HOME sh`; `since` is the seat's clock at the last copy."""
    return (account, str(max_mb), str(since), *CACHES)


def look_said(stderr: str) -> HomeLook | None:
    """Read what the script said of the home; None when it did not come so far."""
    found = _LOOK.search(stderr)
    return HomeLook(*map(int, found.groups())) if found else None


def is_whole(archive: Path) -> bool:
    """Tell whether an archive ends as tar ends one: with two empty blocks."""
    size = archive.stat().st_size
    if size < _END_BYTES or size % _BLOCK_BYTES:
        return False
    with archive.open("rb") as file:
        file.seek(-_END_BYTES, os.SEEK_END)
        return not any(file.read())


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
