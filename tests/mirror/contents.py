"""The files that the mirror serves: made once, kept in a folder, looked at again in no time.

The folder is `~/.cache/sandbox-tests/mirror` (or one below /tmp when that cannot be written), on
purpose not where $XDG_CACHE_HOME points: tests move that, and would download anew each time.
"""

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.mirror import binaries, own_packages, r_builds, tarballs
from tests.mirror.binaries import MINORS, Binary
from tests.mirror.debian import SUITES, Apt, NoMirrorError, Wanted, private_apt
from tests.mirror.tarballs import Description

CRAN = (
    "rcpp", "r-cran-r6", "rmatrix", "r-cran-mass", "lattice", "r-cran-rlang", "r-cran-cli",
    "r-cran-jsonlite", "r-cran-digest", "r-cran-later", "r-cran-promises", "r-cran-renv",
    "r-cran-curl", "r-cran-xml2", "r-cran-magrittr", "r-cran-glue", "r-cran-fastmap",
    "r-cran-lifecycle", "r-cran-ellipsis", "r-cran-backports", "r-cran-mime", "r-cran-crayon",
    "r-cran-praise", "r-cran-assertthat", "r-cran-fastmatch",
)  # fmt: skip
"""Source packages with CRAN's tarballs."""

BIOCONDUCTOR = ("r-bioc-biocgenerics", "r-bioc-s4vectors")

BINARIES = (
    "r-cran-rcpp", "r-cran-r6", "r-cran-matrix", "r-cran-mass", "r-cran-lattice", "r-cran-rlang",
    "r-cran-cli", "r-cran-digest", "r-cran-later", "r-cran-promises", "r-cran-renv",
    "r-cran-curl", "r-cran-xml2", "r-cran-magrittr", "r-cran-glue", "r-cran-fastmap",
    "r-cran-lifecycle", "r-cran-ellipsis", "r-cran-crayon", "r-bioc-biocgenerics",
)  # fmt: skip
"""Packages that Debian has built. Not jsonlite: CRAN's has a library in it that Debian's needs."""

BUILT_HERE = (
    "mime", "praise", "fastmap", "glue", "R6", "chainlast", "chainmiddle", "chainfirst",
    "oldcalloc",
)  # fmt: skip
"""Packages that this host's R builds, in the order in which they need each other."""


@dataclass(frozen=True)
class Source:
    """A source package, and the release of Debian that had it."""

    suite: str
    description: Description
    path: Path
    is_bioconductor: bool = False
    is_of_cran: bool = True
    """Whether the bytes are CRAN's own; else Debian or the tests made the tarball."""


@dataclass(frozen=True)
class Contents:
    """All files of the mirror."""

    folder: Path
    sources: tuple[Source, ...]
    binaries: tuple[Binary, ...]

    @property
    def r_builds(self) -> tuple[Path, ...]:
        """The .debs of R, oldest R first."""
        return tuple(sorted((self.folder / "r").glob("*.deb")))

    def r_build(self, version: str) -> Path:
        """Return the .deb of one R."""
        (deb,) = (self.folder / "r").glob(f"r-{version}_1_*.deb")
        return deb


def prepare(place: Path | None = None) -> Contents:
    """Make the mirror's files, unless they are there already.

    Raises:
        NoMirrorError: this host has no apt, or its Debian mirror lacks what is needed.
    """
    base = place or default_place()
    base.mkdir(parents=True, exist_ok=True)
    folder = base / _key()
    with _alone(base):
        if not folder.exists():
            _forget_old(base)
            with tempfile.TemporaryDirectory(dir=base, prefix="part-") as name:
                part = Path(name) / "made"
                part.mkdir()
                _make(part, Path(name))
                _write_index(part)
                part.rename(folder)
        os.utime(folder)
    return _read_index(folder)


def default_place() -> Path:
    """Return the folder of all tests of this user."""
    home = Path("~").expanduser() / ".cache"
    if os.access(home if home.exists() else home.parent, os.W_OK):
        return home / "sandbox-tests/mirror"
    return Path(tempfile.gettempdir()) / f"sandbox-tests-{os.getuid()}" / "mirror"


def _key() -> str:
    """Name the folder after the code that makes it: changed code makes another one."""
    code = Path(__file__).parent
    names = ("contents", "debian", "tarballs", "own_packages", "binaries", "r_builds")
    text = b"".join((code / f"{name}.py").read_bytes() for name in names)
    return hashlib.sha256(text).hexdigest()[:12]


def _make(folder: Path, scratch: Path) -> None:
    with private_apt() as apt:
        apt.update()
        downloads = scratch / "downloads"
        with ThreadPoolExecutor(len(SUITES)) as pool:
            for _ in pool.map(lambda suite: _sources(apt, suite, folder, downloads), SUITES):
                pass
            debs = dict(
                zip(
                    SUITES,
                    pool.map(lambda suite: _debs(apt, suite, downloads), SUITES),
                    strict=True,
                )
            )
        carried = _carried(apt, downloads)
    own_packages.write_all(folder / "src")
    with ThreadPoolExecutor(max(2, os.cpu_count() or 2)) as pool:
        work = [pool.submit(_build_here, folder, scratch)]
        for suite in SUITES:
            work.append(pool.submit(_r_build, debs[suite], carried, suite, folder, scratch))
            work.append(pool.submit(_binaries, debs[suite], suite, folder, scratch))
        for one in work:
            one.result()


def _sources(apt: Apt, suite: str, folder: Path, downloads: Path) -> None:
    for kind, names in (("cran", CRAN), ("bioconductor", BIOCONDUCTOR)):
        got = apt.download(apt.sources(suite, names), downloads / kind)
        for path in got.values():
            description = tarballs.read_description(path)
            is_of_cran = path.suffix == ".gz" and "+" not in path.name
            whose = "cran" if is_of_cran else "debian"
            target = folder / "src" / kind / suite / whose
            target.mkdir(parents=True, exist_ok=True)
            target /= f"{description.name}_{description.version}.tar.gz"
            if path.suffix == ".xz":
                tarballs.to_gzip(path, target)
            else:
                shutil.copyfile(path, target)


def _debs(apt: Apt, suite: str, downloads: Path) -> dict[str, Path]:
    names = ("r-base-core", *r_builds.RECOMMENDED, *BINARIES)
    wanted = tuple(apt.binaries(suite, dict.fromkeys(names)))
    got = apt.download(wanted, downloads / "debs")
    if missing := [file.file_name for file in wanted if file not in got]:
        raise NoMirrorError(f"the Debian mirror lacks {', '.join(missing)}")
    return {file.package: path for file, path in got.items()}


def _carried(apt: Apt, downloads: Path) -> tuple[Path, ...]:
    wanted: Sequence[Wanted] = tuple(apt.binaries("bullseye", r_builds.CARRIED))
    return tuple(apt.download(wanted, downloads / "debs").values())


def _r_build(
    debs: dict[str, Path], carried: tuple[Path, ...], suite: str, folder: Path, scratch: Path
) -> None:
    packages = r_builds.Packages(
        debs["r-base-core"],
        tuple(debs[name] for name in r_builds.RECOMMENDED),
        carried if suite == "bullseye" else (),
    )
    r_builds.build(packages, folder / "r", scratch)


def _binaries(debs: dict[str, Path], suite: str, folder: Path, scratch: Path) -> None:
    for name in BINARIES:
        if name in debs:
            binaries.from_debian(debs[name], suite, folder / "bin", scratch)


def _build_here(folder: Path, scratch: Path) -> None:
    by_name: dict[str, Path] = {}
    for source in _look_at(folder).sources:
        by_name.setdefault(source.description.name, source.path)
    here = [by_name[name] for name in BUILT_HERE if name in by_name]
    binaries.build(here, folder / "bin", scratch)


_INDEX = "descriptions.json"


def _write_index(folder: Path) -> None:
    """Note what each tarball says of itself: to read a hundred tarballs takes seconds."""
    made = _look_at(folder)
    tarred: tuple[Source | Binary, ...] = (*made.sources, *made.binaries)
    fields = {str(one.path.relative_to(folder)): one.description.fields for one in tarred}
    (folder / _INDEX).write_text(json.dumps(fields), encoding="utf-8")


def _read_index(folder: Path) -> Contents:
    fields = json.loads((folder / _INDEX).read_text(encoding="utf-8"))

    def describe(path: Path) -> Description:
        return tarballs.described(fields[str(path.relative_to(folder))])

    return _look_at(folder, describe)


Describe = Callable[[Path], Description]


def _look_at(folder: Path, describe: Describe = tarballs.read_description) -> Contents:
    return Contents(
        folder, tuple(_found_sources(folder, describe)), tuple(_found_binaries(folder, describe))
    )


def _found_sources(folder: Path, describe: Describe) -> Iterator[Source]:
    for kind in ("cran", "bioconductor", "own"):
        for suite in SUITES:
            for path in sorted((folder / "src" / kind / suite).glob("*/*.tar.gz")):
                yield Source(
                    suite,
                    describe(path),
                    path,
                    is_bioconductor=kind == "bioconductor",
                    is_of_cran=path.parent.name == "cran",
                )


def _found_binaries(folder: Path, describe: Describe) -> Iterator[Binary]:
    for place in sorted((folder / "bin").glob("*-*")):
        codename, _, r_minor = place.name.partition("-")
        for path in sorted(place.glob("*.tar.gz")):
            yield Binary(codename, r_minor, describe(path), path)


def _forget_old(base: Path) -> None:
    """Remove what a killed run left, and what other code made when nobody used it for a day."""
    for other in base.iterdir():
        is_old = other.stat().st_mtime < time.time() - 86_400
        if other.is_dir() and (is_old or other.name.startswith("part-")):
            shutil.rmtree(other)


@contextmanager
def _alone(base: Path) -> Iterator[None]:
    """Let one process at a time make the files; the others wait and find them made."""
    with (base / "lock").open("w", encoding="utf-8") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


__all__ = ["MINORS", "Contents", "NoMirrorError", "Source", "default_place", "prepare"]
