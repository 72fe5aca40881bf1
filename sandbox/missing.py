"""Packages that a plan asks for and the base's Debian does not have, with the nearest names."""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Final

from sandbox.errors import BoxError
from sandbox.plan import Plan
from sandbox.spec.load import load_box
from sandbox.spec.problem import code, short
from sandbox.spec.r_fits import packages_place, r_places
from sandbox.spec.r_packages import R_ITSELF


def missing_r_packages(plan: Plan, available: Iterable[str]) -> tuple[str, ...]:
    """List the R packages that are missing and may be; `available` as in `missing_packages`."""
    if plan.r is None or plan.r.debian_packages.if_missing != "skip":
        return ()
    names = available if isinstance(available, frozenset | set) else frozenset(available)
    return tuple(
        name
        for name in plan.r.debian_packages.names
        if name not in R_ITSELF and f"r-cran-{name.lower()}" not in names
    )


def missing_packages(plan: Plan, available: Iterable[str]) -> BoxError | None:
    """Return the error for packages that the base's Debian lacks; None when it has them all.

    `available` holds the names of all binary packages of that release.
    """
    names = available if isinstance(available, frozenset | set) else frozenset(available)
    missing = [package for package in plan.apt_packages if package not in names]
    if not missing:
        return None
    places = _places(plan)
    lines = [line for package in missing for line in _missing_lines(plan, package, names, places)]
    count = "a package" if len(missing) == 1 else f"{len(missing)} packages"
    return BoxError(
        f"{plan.base.name} does not have {count} that `{short(plan.box_path)}` needs",
        details="\n".join(lines),
        hint="correct the names, or choose another base; nothing was started",
    )


def _missing_lines(
    plan: Plan, package: str, names: Iterable[str], places: dict[tuple[str, str], str]
) -> Iterator[str]:
    asked = False
    for name in plan.r.debian_packages.names if plan.r else ():
        if f"r-cran-{name.lower()}" == package:
            asked = True
            near = [other.removeprefix("r-cran-") for other in _near(package, names, "r-cran-")]
            place = places.get(("r", name), "")
            yield f"{place}r.packages.names: {code(name)} ({package}){_perhaps(near)}"
    if package in plan.system.packages:
        asked = True
        place = places.get(("system", package), "")
        near = _near(package, names, package[0])
        yield f"{place}system.packages: {code(package)}{_perhaps(near)}"
    if not asked:
        yield f"{package}, which other parts of the box need"


def _places(plan: Plan) -> dict[tuple[str, str], str]:
    """Where the box names each package; empty when the file is gone or has changed."""
    try:
        loaded = load_box(plan.box_path, root=plan.box_root)
    except BoxError:
        return {}
    found = {}
    r = loaded.box.r
    for place, one in r_places(r) if r is not None else ():
        if r is None or one.source != "debian" or one.packages is None:
            continue
        if one.packages.source != "debian":
            continue
        where = (*packages_place(r, place), "names")
        for index, name in enumerate(one.packages.names):
            found["r", name] = f"{loaded.place_of(*where, index)}: "
    for index, name in enumerate(loaded.box.system.packages):
        found["system", name] = f"{loaded.place_of('system', 'packages', index)}: "
    return found


_LENGTH_APART: Final = 3


def _near(word: str, names: Iterable[str], prefix: str) -> list[str]:
    # A release has 60,000 names: comparing with all of them takes seconds
    alike = [
        name
        for name in names
        if name.startswith(prefix) and abs(len(name) - len(word)) <= _LENGTH_APART
    ]
    return get_close_matches(word, sorted(alike), n=3, cutoff=0.75)


def _perhaps(near: list[str]) -> str:
    return f". Perhaps you meant {' or '.join(f'`{name}`' for name in near)}?" if near else ""
