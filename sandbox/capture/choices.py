"""What of a production server a box can say, and what has to be said in a comment."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sandbox.capture.valid import fits
from sandbox.facts.facts import Facts
from sandbox.facts.r_view import RView
from sandbox.facts.subjects.blas import blas_family
from sandbox.facts.subjects.machine import MachineSize
from sandbox.facts.subjects.os import Os
from sandbox.facts.subjects.packages import SystemPackages
from sandbox.facts.subjects.r import RInstallation, RInstallations
from sandbox.facts.subjects.r_packages import loaded_packages
from sandbox.spec.base_models import Base
from sandbox.spec.bases import Bases
from sandbox.spec.models import DebianPackage, RPackage

_FOR_R = re.compile(
    r".+-dev|pandoc|quarto|git|curl|make|gcc|g\+\+|gfortran|build-essential|cmake|cargo"
    r"|(default|openjdk)-.+|unixodbc|tdsodbc|odbc-.+|libsqliteodbc|fonts-.+|texlive.*|imagemagick"
    r"|ghostscript|gdal-bin|jags|chromium|nodejs|postgresql-client.*|default-mysql-client|sqlite3"
)
_BROUGHT = ("fonts-dejavu-core", "fonts-dejavu-mono", "fonts-mathjax", "r-base-dev")
_ROUND_MB = 256


@dataclass(frozen=True)
class Room:
    """The most that the computer which will run the sandbox can give it."""

    cpus: int
    memory_mb: int
    disk_gb: int = 40


def main_r(facts: Facts) -> RInstallation | None:
    """The R that people get: that on the PATH, else that of the apps, else any."""
    for seen_by in ("login", "shiny", "rstudio"):
        for one in facts[RInstallations]:
            if any(view.seen_by == seen_by for view in one.views) and (
                one.on_path or seen_by != "login"
            ):
                return one
    return next(iter(facts[RInstallations]), None)


def main_view(facts: Facts) -> RView | None:
    """How it is seen: by a login, which has everything that everybody has."""
    r = main_r(facts)
    return r.views[0] if r is not None and r.views else None


def choose_base(facts: Facts, bases: Bases) -> tuple[Base, tuple[str, ...]]:
    """The base that comes nearest, and in what it does not.

    The release counts most where it brings production's R; else R's version does, for it decides
    what code gives.
    """
    r = main_r(facts)
    wanted = r.version if r is not None else None
    same_os = next((b for b in bases.values() if _is_release(b, facts)), None)
    by_r = [base for base in bases.values() if wanted and series(base.r_version) == series(wanted)]
    if same_os is not None and (wanted is None or same_os in by_r):
        base = same_os
    elif by_r:
        base = by_r[-1]
    elif same_os is not None:
        base = same_os
    else:
        base = min(bases.values(), key=lambda one: _distance(one.r_version, wanted))
    notes = []
    if base is not same_os:
        notes.append(
            f"production runs {facts[Os].name or facts[Os].id}; the nearest is {base.name}"
        )
    if wanted is not None and base.r_version != wanted:
        nearest = "" if base in by_r else "; no base has it"
        notes.append(
            f"production's R is {wanted} ({r.home if r else ''}){nearest}: "
            f"{base.name} has {base.r_version}"
        )
    return base, tuple(notes)


def _is_release(base: Base, facts: Facts) -> bool:
    return base.distribution == facts[Os].id and base.name == f"{facts[Os].id}-{facts[Os].version}"


def series(version: str) -> str:
    """`4.2` of 4.2.2."""
    return ".".join(version.split(".")[:2])


def _distance(version: str, wanted: str | None) -> int:
    """In minor versions, the way R counts them; without an R, the newest base is the nearest."""

    def number(text: str) -> int:
        major, minor, *_ = (*re.findall(r"\d+", text), "0", "0")
        return int(major) * 100 + int(minor)

    return abs(number(version) - number(wanted)) if wanted else -number(version)


def r_packages(view: RView) -> tuple[str, ...]:
    """The packages that somebody wanted: those that no other package brings along."""
    mine = loaded_packages(view)
    priority = {one.name for one in view.packages if one.priority}
    needed = {need for one in view.packages for need in one.needs if one.name not in priority}
    wanted = [
        name
        for name in mine
        if name not in needed and name not in priority and fits(RPackage, name)
    ]
    return tuple(sorted(wanted, key=str.lower))


def by_hand(facts: Facts, view: RView) -> Iterator[str]:
    """R packages that did not come with the distribution, with where they are."""
    debian = {one.name for one in facts.get(SystemPackages) or ()}
    priority = {one.name for one in view.packages if one.priority}
    for name, one in sorted(loaded_packages(view).items()):
        if name not in priority and f"r-cran-{name.lower()}" not in debian:
            source = f", {one.remote}" if one.remote else ""
            yield f"{name} {one.version} ({one.library}{source})"


def shadowed(view: RView) -> Iterator[str]:
    """R packages that are in two libraries in two versions."""
    versions: dict[str, set[str]] = {}
    for package in view.packages:
        versions.setdefault(package.name, set()).add(package.version)
    for name, one in sorted(loaded_packages(view).items()):
        if others := versions[name] - {one.version}:
            yield f"{name}: {one.version} in {one.library}, also {', '.join(sorted(others))}"


def system_packages(facts: Facts) -> tuple[tuple[str, ...], int]:
    """Debian packages that R's packages may need, and how many others somebody installed."""
    chosen = [one.name for one in facts.get(SystemPackages) or () if one.manual]
    chosen = [name for name in dict.fromkeys(chosen) if fits(DebianPackage, name)]
    for_r = [name for name in chosen if _FOR_R.fullmatch(name) and name not in _BROUGHT]
    others = [name for name in chosen if not _FOR_R.fullmatch(name) and not name.startswith("r-")]
    return tuple(sorted(for_r)), len(others)


def machine(facts: Facts, room: Room) -> tuple[dict[str, int], tuple[str, ...]]:
    """Its size, as far as the sandbox's computer can give it, and what that takes away."""
    size = facts[MachineSize]
    found: dict[str, int] = {}
    notes = []
    for key, actual, most in (
        ("cpus", None if size.cpus is None else max(1, size.cpus), room.cpus),
        ("memory_mb", _rounded(size.memory_mb), room.memory_mb),
        ("disk_gb", _gigabytes(size.disk_mb), room.disk_gb),
    ):
        if actual is None:
            notes.append(f"{key} of production could not be seen: the sandbox has the default")
            continue
        found[key] = min(actual, most)
        if actual > most:
            notes.append(f"{key} of production is {actual}: more than there is here")
    return found, tuple(notes)


def _rounded(memory_mb: int | None) -> int | None:
    """The kernel keeps a part for itself: back to what the machine was given."""
    if memory_mb is None:
        return None
    return max(_ROUND_MB, -(-memory_mb // _ROUND_MB) * _ROUND_MB)


def _gigabytes(disk_mb: int | None) -> int | None:
    return max(4, -(-disk_mb // 1024)) if disk_mb is not None else None


def nofile(view: RView) -> int | None:
    """The limit of open files that somebody has set; the usual ones of systemd are none."""
    limit = view.limits.nofile
    if limit is None or limit.soft in (None, 1024, 4096, 524288, 1048576, 1073741816):
        return None
    return limit.soft if limit.soft is not None and 256 <= limit.soft < 1048576 else None  # noqa: PLR2004


def blas(view: RView) -> tuple[str | None, str]:
    """`openblas` or `reference`, or None and the name of what a box cannot ask for."""
    family = blas_family(view.external_software.get("BLAS") or view.la_library)
    if family in ("openblas", "reference"):
        return family, family
    return ("reference" if family == "R's own" else None), family
