"""Whether the Rs of a box fit its base, each other and their packages."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sandbox.spec.base_models import Base
from sandbox.spec.bases import Bases, gives_r
from sandbox.spec.posit_r import posit_builds
from sandbox.spec.problem import Problem, code
from sandbox.spec.r import InstalledR, R

if TYPE_CHECKING:
    from sandbox.spec.semantics import BoxContext

Place = tuple[str | int, ...]


def r_problems(context: "BoxContext") -> Iterator[Problem]:
    """Yield what is wrong with the Rs of a box, each at its line."""
    r, base = context.box.r, context.base
    if r is None or base is None:
        return
    first: dict[str, Place] = {}
    for place, one in r_places(r):
        if one.source == "debian":
            yield from _debian(context, base, place, one)
        else:
            yield from _posit(context, base, place, one)
            yield from _packages(context, place, one)
            yield from _blas(context, base, place, one)
        version = one.version if one.source == "posit" and one.version else base.r_version
        if version in first:
            line = context.at(*first[version]).line
            value = context.at(*place)
            yield value.problem(f"R {version} is there already (line {line})", "Leave out one")
        first.setdefault(version, place)


def r_places(r: R) -> Iterator[tuple[Place, InstalledR]]:
    """Yield each R of the box, its packages resolved, with the place in the file that asks."""
    for number, one in enumerate(r.installed):
        yield (("r", "versions", number) if r.versions else ("r",)), one


def packages_place(r: R, place: Place) -> Place:
    """Return where the packages of the R at `place` stand."""
    if r.versions and isinstance(number := place[-1], int) and r.versions[number].packages is None:
        return ("r", "packages")
    return (*place, "packages")


def _debian(context: "BoxContext", base: Base, place: Place, one: InstalledR) -> Iterator[Problem]:
    wanted = one.version
    if wanted is None or gives_r(base, wanted):
        return
    message = f"{base.name} has R {base.r_version}, not {wanted}"
    value = context.at(*place, "version")
    yield value.problem(message, _other_base(context.bases, wanted))


def _other_base(bases: Bases, wanted: str) -> str:
    fitting = [f"`{other.name}`" for other in bases.values() if gives_r(other, wanted)]
    if fitting:
        return f"For R {wanted} use base {' or '.join(fitting)}"
    have = ", ".join(f"{one.r_version} ({one.name})" for one in bases.values())
    return f"The bases have R {have}; Posit builds others: add `source: posit`"


def _posit(context: "BoxContext", base: Base, place: Place, one: InstalledR) -> Iterator[Problem]:
    builds = posit_builds(base)
    value = context.at(*place, "version")
    if builds is None:
        yield value.problem(f"Posit has no builds of R for {base.name}")
    elif one.version is not None and not builds.has_own(one.version) and not builds.runs_portable:
        yield value.problem(
            f"Posit's builds for {base.name} end at R {builds.last}, and its portable build needs "
            "a newer system",
            "Use a newer base: `sandbox boxes` lists them",
        )


def _packages(context: "BoxContext", place: Place, one: InstalledR) -> Iterator[Problem]:
    """Debian's packages are built for Debian's own R, and stay with it."""
    packages = one.packages
    if packages is None or packages.source != "debian" or not packages.names:
        return
    r = context.box.r
    where = packages_place(r, place) if r is not None else place
    value = context.at(*where, "names")
    message = (
        f"Debian's R packages are built for Debian's own R, and R {one.version} of Posit's "
        "would not find them"
    )
    suggestion = "Take them from elsewhere (`source:`), or give them to an R with `source: debian`"
    yield value.problem(message, suggestion)


def _blas(context: "BoxContext", base: Base, place: Place, one: InstalledR) -> Iterator[Problem]:
    builds = posit_builds(base)
    r = context.box.r
    if builds is None or one.version is None or r is None or r.blas == "openblas":
        return
    if builds.is_portable(one.version):
        said = context.said.get("r", "blas")
        value = context.at("r", "blas") if said is not None else context.at(*place, "version")
        message = (
            f"R {one.version} comes for {base.name} only as Posit's portable build, which has "
            f"OpenBLAS inside: {code('blas: reference')} cannot be had with it"
        )
        yield value.problem(message, "Add `blas: openblas` under `r`, or use a newer base")
