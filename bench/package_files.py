"""The hundred source packages of the rows `packages`: most are CRAN's, the others made here.

CRAN's tarballs come out of Debian's source packages, as those of the tests' mirror do, and are
kept beside it between runs.
"""

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.mirror import default_place, own_packages, tarballs
from tests.mirror.debian import private_apt

ROOT = Path(__file__).resolve().parent.parent
_SUITES = ("bookworm", "trixie")
"""The second for what a mirror no longer has of the first."""
_COUNT = 100
_REAL = (
    "abind", "r-cran-glue", "dbi", "gtools", "rcolorbrewer", "snow",
    *(
        f"r-cran-{name}"
        for name in (
            "askpass", "assertthat", "backports", "base64enc", "bitops", "brew", "brio",
            "cachem", "callr", "cli", "clipr", "commonmark", "corpcor", "crayon",
            "desc", "digest", "ellipsis", "evaluate", "fansi", "fastmap", "fastmatch",
            "formatr", "futile.logger", "futile.options", "generics", "getopt", "ini",
            "iterators", "labeling", "lambda.r", "lazyeval", "lifecycle", "magrittr",
            "memoise", "mime", "numderiv", "optparse", "permute", "pkgconfig", "praise",
            "prettyunits", "processx", "proto", "ps", "r.methodss3", "r6", "registry",
            "rematch", "rlang", "rprojroot", "rstudioapi", "sys", "uuid",
            "viridislite", "whisker", "withr", "xopen", "xtable", "yaml", "zeallot",
        )
    ),
)  # fmt: skip
"""Debian's names. Together they need nothing but each other, R itself and a compiler."""
_NEEDS = ("Depends", "Imports", "LinkingTo")
_C = "#include <Rinternals.h>\nSEXP one(void) { return ScalarInteger(1); }\n"


@dataclass(frozen=True)
class Package:
    """A source package on this host."""

    name: str
    version: str
    path: Path
    needs: tuple[str, ...]
    is_compiled: bool
    is_of_cran: bool

    @property
    def file_name(self) -> str:
        """As a repository has it, source or binary."""
        return f"{self.name}_{self.version}.tar.gz"

    def entry(self, sha256: str, *, is_binary: bool) -> dict[str, object]:
        """What the installer's list says of it."""
        return {
            "file_name": self.file_name,
            "name": self.name,
            "version": self.version,
            "sha256": sha256,
            "is_binary": is_binary,
            "needs": self.needs,
        }


def kept_folder() -> Path:
    """Name the folder that keeps the files between runs; who changes the list removes it."""
    return default_place().parent / "bench-packages"


def hundred() -> tuple[Package, ...]:
    """Make the files, unless they are there; each package stands after all that it needs.

    A mirror may lack some: then more are made here.

    Raises:
        NoMirrorError: this host has no apt that knows a mirror of Debian.
    """
    folder = kept_folder()
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix="part-") as name:
            part = Path(name) / "made"
            part.mkdir()
            _fetch(part, Path(name))
            part.rename(folder)
    real = _whole([_read(path) for path in sorted(folder.glob("*.tar.gz"))])
    own = folder / "own"
    own.mkdir(exist_ok=True)
    for number in range(_COUNT - len(real)):
        # Chains of five; every third has C code
        needs = f"Imports: small{number - 1:02}\n" if number % 5 else ""
        data = own_packages.source(
            f"small{number:02}",
            "1.0.0",
            "A Small One",
            c=_C if number % 3 == 0 else "",
            depends=needs,
        )
        path = own / f"small{number:02}_1.0.0.tar.gz"
        path.write_bytes(data)
        made = _read(path, is_of_cran=False)
        real[made.name] = made
    return _in_order(real)


def _fetch(target: Path, scratch: Path) -> None:
    got: dict[str, Path] = {}
    with private_apt() as apt:
        apt.update()
        for suite in _SUITES:
            wanted = apt.sources(suite, set(_REAL) - set(got))
            found = apt.download(wanted, scratch / "downloads")
            got.update((file.package, path) for file, path in found.items())
    for path in got.values():
        described = tarballs.read_description(path)
        place = target / f"{described.name}_{described.version}.tar.gz"
        if path.suffix == ".xz":
            tarballs.to_gzip(path, place)
        else:
            place.write_bytes(path.read_bytes())


def _read(path: Path, *, is_of_cran: bool = True) -> Package:
    described = tarballs.read_description(path)
    said = ",".join(described.fields.get(field, "") for field in _NEEDS)
    names = {re.sub(r"\(.*?\)", "", word).strip() for word in said.split(",")}
    is_compiled = described.fields.get("NeedsCompilation", "no") == "yes"
    needs = tuple(sorted(names - _OF_R - {""}))
    return Package(described.name, described.version, path, needs, is_compiled, is_of_cran)


_OF_R = {"R", "methods", "stats", "utils", "graphics", "grDevices", "grid", "tools", "parallel"} | {
    "splines", "stats4", "tcltk", "compiler", "datasets", "base",
}  # fmt: skip


def _whole(packages: list[Package]) -> dict[str, Package]:
    """Leave out those that need what is not there."""
    there = {one.name: one for one in packages}
    while without := [one for one in there.values() if not there.keys() >= set(one.needs)]:
        for one in without:
            del there[one.name]
    return there


def _in_order(packages: dict[str, Package]) -> tuple[Package, ...]:
    done: dict[str, Package] = {}
    while len(done) < len(packages):
        ready = [
            one
            for one in packages.values()
            if one.name not in done and all(need in done for need in one.needs)
        ]
        done.update((one.name, one) for one in ready)
    return tuple(done.values())
