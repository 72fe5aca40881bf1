"""Debian packages kept from earlier builds, so that the next base image need not fetch them again.

They lie on shelves, one for each suite, architecture and set of sources. mmdebstrap takes them into
the root's apt cache before it downloads, and hands out the packages that it had to download, by the
hooks that its manual names for that. The image itself is the same with and without them.

apt compares a package in its cache by name and size, and checks hashes only when it downloads. So
each package is kept under its SHA-256, which is computed again before a build gets the package.
Afterwards the build's packages are compared with the package lists, which apt has verified. A
package is put on a shelf whole, by a rename: a killed build leaves nothing there, and two builds at
once do not disturb each other.
"""

import hashlib
import os
import re
import shlex
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sandbox.architecture import DEBIAN_ARCHITECTURES
from sandbox.files import private_folder
from sandbox.images.recipe import Recipe
from sandbox.paths import cache_dir

MAX_BYTES: Final = 2_000_000_000
"""The limit for all shelves together; a virtual machine's base image takes 150 MB of packages."""

_KEPT: Final = re.compile(r"(?P<sha256>[0-9a-f]{64})_(?P<name>.+\.deb)")
_SUM: Final = re.compile(r"(?P<sha256>[0-9a-f]{64})  (?P<name>[^/\s]+\.deb)")

_LENT_FOLDER: Final = "lent"
_FETCHED_FOLDER: Final = "fetched"
_SUMS_FILE: Final = "sums"

# These files are in the root until the build ends
_LENT: Final = "/sandbox-lent"
_SUMS: Final = "/sandbox-sums"
_APT_CACHE: Final = "/var/cache/apt/archives"

# As if apt had made the folder and downloaded the files: any user may build
_AFTER_LENDING: Final = f"""\
set -eu
cd "$1{_APT_CACHE}"
chown 0:0 .
chmod 0755 .
for deb in *.deb; do
  [ -e "$deb" ] || continue
  chown 0:0 "$deb"
  chmod 0644 "$deb"
  printf '%s\\n' "$deb"
done > "$1{_LENT}"
"""

# Of every version in the lists, not only the versions that apt would choose: an essential package
# may come from the release itself first, and only then from its updates
_TAKE_SUMS: Final = f"""\
set -eu
cd "$1{_APT_CACHE}"
ls > "$1{_SUMS}.names"
chroot "$1" sh -c 'apt-get indextargets --format "\\$(FILENAME)" "Created-By: Packages" \\
  | xargs /usr/lib/apt/apt-helper cat-file' \
  | grep -E '^(Package|Version|Architecture|SHA256): |^$' | awk '
    NR == FNR {{ there[$0]; next }}
    $1 == "Package:" {{ name = $2 }}
    $1 == "Version:" {{ version = $2; gsub(":", "%3a", version) }}
    $1 == "Architecture:" {{ architecture = $2 }}
    $1 == "SHA256:" {{ sum = $2 }}
    NF == 0 {{
      deb = name "_" version "_" architecture ".deb"
      if (deb in there) print sum "  " deb
    }}
  ' "$1{_SUMS}.names" - > "$1{_SUMS}"
rm "$1{_SUMS}.names"
# What was lent need not be handed out again
while read -r deb; do rm -f "$deb"; done < "$1{_LENT}"
"""


@dataclass(frozen=True)
class Deb:
    """A package on a shelf."""

    path: Path
    name: str
    """The file's name in apt's cache: `r-base-core_4.2.2_amd64.deb`."""
    sha256: str


@dataclass(frozen=True)
class Shelf:
    """The packages kept for one suite, as `sandbox cache list` shows them."""

    folder: Path
    suite: str
    size_bytes: int
    changed_at: datetime
    used_at: datetime


@dataclass(frozen=True)
class Loan:
    """The packages that a shelf lends to one build, and the folder for those it fetched."""

    shelf: Path
    folder: Path
    """A folder of this build alone."""
    debs: tuple[Deb, ...]

    @property
    def mmdebstrap_options(self) -> tuple[str, ...]:
        """Options for mmdebstrap. They do not change the image, and so are no part of its key."""
        names = (_LENT_FOLDER, _FETCHED_FOLDER, _SUMS_FILE)
        lent, fetched, sums = (shlex.quote(str(self.folder / name)) for name in names)
        return (
            "--skip=essential/unlink",
            f'--setup-hook=mkdir -p "$1{_APT_CACHE}"',
            f"--setup-hook=sync-in {lent} {_APT_CACHE}",
            f"--setup-hook={_AFTER_LENDING}",
            f"--customize-hook={_TAKE_SUMS}",
            f"--customize-hook=download {_SUMS} {sums}",
            f"--customize-hook=sync-out {_APT_CACHE} {fetched}",
            f'--customize-hook=rm "$1{_LENT}" "$1{_SUMS}"',
        )

    def wrong(self) -> tuple[Deb, ...]:
        """List lent packages that differ from the archive's package of that name and version.

        An image with one of these packages must not be used.
        """
        listed = self._listed()
        if not listed:
            # Nothing can be proven
            return self.debs
        return tuple(
            deb for deb in self.debs if deb.name in listed and deb.sha256 not in listed[deb.name]
        )

    def settle(self) -> None:
        """Settle after the build: keep the fetched packages, drop those the archive has replaced.

        Raises:
            OSError: there is no room on the disk, or the folder is not ours.
        """
        listed = self._listed()
        for deb in self.debs:
            if deb.sha256 in listed.get(deb.name, ()):
                _mark_used(deb.path)
            else:
                deb.path.unlink(missing_ok=True)
        private_folder(self.shelf, cache_dir())
        for path in sorted((self.folder / _FETCHED_FOLDER).glob("*.deb")):
            sha256 = _sha256(path)
            if sha256 in listed.get(path.name, ()):
                _mark_used(path)
                path.replace(self.shelf / f"{sha256}_{path.name}")
        shutil.rmtree(self.folder, ignore_errors=True)
        _keep_within(MAX_BYTES)

    def _listed(self) -> dict[str, set[str]]:
        """The hashes that the package lists have for each name in the root's apt cache."""
        listed: dict[str, set[str]] = {}
        for line in (self.folder / _SUMS_FILE).read_text(encoding="utf-8").splitlines():
            if found := _SUM.fullmatch(line):
                listed.setdefault(found["name"], set()).add(found["sha256"])
        return listed


def shelf_of(recipe: Recipe) -> Path:
    """Return the shelf of a recipe; other sources may have other packages of the same name."""
    architecture = DEBIAN_ARCHITECTURES.get(recipe.machine, recipe.machine)
    lines = "\n".join(recipe.sources.lines)
    sources = hashlib.sha256(lines.encode()).hexdigest()[:12] if lines else "default"
    return _shelves() / f"{recipe.base.suite}-{architecture}-{sources}"


def borrow(shelf: Path, folder: Path, *, nothing: bool = False) -> Loan:
    """Put the whole packages of the shelf into a new `folder`; remove damaged ones.

    With `nothing`, the build fetches every package itself.

    Raises:
        OSError: there is no room on the disk.
    """
    shutil.rmtree(folder, ignore_errors=True)
    lent = folder / _LENT_FOLDER
    lent.mkdir(parents=True)
    debs: dict[str, Deb] = {}
    for deb in () if nothing else debs_on(shelf):
        if deb.name in debs:
            continue
        place = lent / deb.name
        try:
            _link(deb.path, place)
            if _sha256(place) == deb.sha256:
                debs[deb.name] = deb
                continue
        except FileNotFoundError:
            # Another command cleared it away
            continue
        place.unlink()
        deb.path.unlink(missing_ok=True)
    return Loan(shelf, folder, tuple(debs.values()))


def drop(debs: Iterable[Deb]) -> None:
    """Remove packages from their shelf."""
    for deb in debs:
        deb.path.unlink(missing_ok=True)


def shelves() -> tuple[Shelf, ...]:
    """List all shelves that hold something, the last used first."""
    found = [shelf for folder in _shelves().glob("*") if (shelf := _look_at(folder)) is not None]
    return tuple(sorted(found, key=lambda shelf: shelf.used_at, reverse=True))


def remove_shelf(shelf: Shelf) -> None:
    """Remove a shelf; a build that borrowed from the shelf keeps its packages.

    Raises:
        OSError: the shelf is not ours to remove.
    """
    drop(debs_on(shelf.folder))
    with suppress(FileNotFoundError):
        shelf.folder.rmdir()


def _shelves() -> Path:
    return cache_dir() / "archives"


def debs_on(shelf: Path) -> tuple[Deb, ...]:
    """List the packages on a shelf, whole or damaged."""
    found = ((path, _KEPT.fullmatch(path.name)) for path in sorted(shelf.glob("*.deb")))
    return tuple(Deb(path, match["name"], match["sha256"]) for path, match in found if match)


def _look_at(folder: Path) -> Shelf | None:
    sizes, times = [], []
    for deb in debs_on(folder):
        with suppress(FileNotFoundError):
            status = deb.path.stat()
            sizes.append(status.st_size)
            times.append(status.st_mtime)
    if not sizes:
        return None
    return Shelf(
        folder=folder,
        suite=folder.name.partition("-")[0],
        size_bytes=sum(sizes),
        changed_at=datetime.fromtimestamp(folder.stat().st_mtime, UTC),
        used_at=datetime.fromtimestamp(max(times), UTC),
    )


def _keep_within(limit_bytes: int) -> None:
    """Drop the packages that were not used for the longest time."""
    found = []
    for deb in (deb for folder in _shelves().glob("*") for deb in debs_on(folder)):
        with suppress(FileNotFoundError):
            status = deb.path.stat()
            found.append((status.st_mtime, status.st_size, deb))
    total = sum(size for _, size, _ in found)
    for _, size, deb in sorted(found, key=lambda one: one[0]):
        if total <= limit_bytes:
            return
        drop([deb])
        total -= size


def _link(source: Path, target: Path) -> None:
    """Link the file under another name where the disk can, or else copy it."""
    try:
        target.hardlink_to(source)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(source, target)


def _mark_used(path: Path) -> None:
    with suppress(FileNotFoundError):
        os.utime(path)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
