"""Which R packages a base's Debian has, and which others each package brings.

Known before anything is built: the list is shipped with the base, made by tools/r_packages.sh. A
stable release does not change its packages. A box with its own mirror or image may have others.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Final

from sandbox.paths import data_dir
from sandbox.spec.models import Box
from sandbox.spec.problem import alternatives

R_ITSELF: Final = frozenset(
    {"base", "compiler", "datasets", "graphics", "grDevices", "grid", "methods", "parallel"}
    | {"splines", "stats", "stats4", "tcltk", "tools", "utils"}
)
"""Packages that come with r-base-core."""

_CRAN: Final = "r-cran-"


@dataclass(frozen=True)
class RPackageIndex:
    """The R packages of one release."""

    names: Mapping[str, tuple[str, ...]]
    """R's names of the packages, by Debian package; empty for one that only needs some."""
    needs: Mapping[str, tuple[str, ...]]
    """The packages of the list that it depends on, by Debian package."""
    homes: Mapping[str, str] = field(default_factory=dict)
    """The Debian package, by R's name."""

    @classmethod
    def of(cls, text: str) -> "RPackageIndex":
        """Read the list; a line has a Debian package, R's names for it, and what it needs."""
        names, needs, homes = {}, {}, {}
        for line in text.splitlines():
            package, inside, *needed = line.split()
            names[package] = () if inside == "-" else tuple(inside.split(","))
            needs[package] = tuple(needed)
            for name in names[package]:
                # A box can ask for the r-cran packages
                if name not in homes or package.startswith(_CRAN):
                    homes[name] = package
        return cls(names, needs, homes)

    def has(self, name: str) -> bool:
        """Tell whether a box can ask for the R package of that very name."""
        return name in R_ITSELF or self.homes.get(name, "").startswith(_CRAN)

    def brought_by(self, debian_packages: Iterable[str]) -> frozenset[str]:
        """List the R packages that are there when these Debian packages are installed."""
        seen, waiting = set[str](), [one for one in debian_packages if one in self.needs]
        while waiting:
            package = waiting.pop()
            if package not in seen:
                seen.add(package)
                waiting += self.needs[package]
        return R_ITSELF.union(*(self.names[package] for package in seen))

    def other_case(self, name: str) -> str | None:
        """Find the package with the same name but for capital letters."""
        there = self.names.get(f"{_CRAN}{name.lower()}", ())
        return there[0] if there and name not in there else None

    def nearest(self, name: str) -> str:
        """Suggest the nearest package: ``Perhaps you meant `ggplot2`?``; empty if none is near."""
        if (other := self.other_case(name)) is not None:
            return f"Perhaps you meant {alternatives([other])}?"
        known: dict[str, list[str]] = defaultdict(list)
        for one in self.homes:
            if self.has(one):
                known[one.lower()].append(one)
        found = get_close_matches(name.lower(), known, n=3, cutoff=0.75)
        names = [one for word in found for one in known[word]]
        return f"Perhaps you meant {alternatives(names)}?" if names else ""


def index_of(base: str) -> RPackageIndex | None:
    """Return the index of R packages of a base; None when nobody listed them."""
    return _read(data_dir("boxes") / "_base" / f"{base}.r-packages.txt")


@cache
def _read(path: Path) -> RPackageIndex | None:
    try:
        return RPackageIndex.of(path.read_text("utf-8"))
    except FileNotFoundError:
        return None


def known_index(box: Box, base: str) -> RPackageIndex | None:
    """Return the index of a base's R packages, if the box takes packages from nowhere else."""
    options = (box.providers.virtualbox, box.providers.libvirt)
    if box.system.mirror is not None or any(one.base_image is not None for one in options):
        return None
    return index_of(base)


def bases_with(name: str, bases: Iterable[str]) -> list[str]:
    """List the bases, newest last, that have an R package."""
    return [base for base in bases if (index := index_of(base)) is not None and index.has(name)]
