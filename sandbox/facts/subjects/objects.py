"""Shared objects of R and its packages: which libraries they need, have, and miss."""

from collections.abc import Iterator

from sandbox.facts.kind import Consequence, Reading, kind_of_machine
from sandbox.facts.making import Made, Making, few
from sandbox.facts.package_list import is_told_elsewhere, system_versions
from sandbox.facts.part import FactsModel, ListPart
from sandbox.facts.r_lines import Fields, a_count, named
from sandbox.facts.subject import Facts, ProbeAnswer, Subject
from sandbox.facts.subjects.r import without_r
from sandbox.probe.readers import path


class UnresolvedObject(FactsModel):
    """A shared object of R or of an R package whose libraries are not all found."""

    path: str
    missing: tuple[str, ...]
    """`libicuuc.so.66`"""


class LinkedLibrary(FactsModel):
    """A shared library outside R that R or its packages are linked to."""

    path: str
    package: str | None
    """The system package that owns it; None when none does."""
    version: str | None
    """Of that package."""


class UnresolvedObjects(ListPart[UnresolvedObject]):
    """Those whose libraries are not all found."""


class LinkedLibraries(ListPart[LinkedLibrary]):
    """Libraries outside R that R and its packages are linked to."""


def _owner(fields: tuple[str, ...], kind: str) -> None:
    # What the loader said before it named a file belongs to none
    if fields[0]:
        path(fields[0], kind)


def _parse_unresolved(answer: ProbeAnswer) -> UnresolvedObjects | None:
    if not answer.asked_for_libraries:
        return None
    pairs = {(file, name) for said in answer.r for file, name in said.rows("unresolved")}
    return UnresolvedObjects(_unresolved(pairs))


def _unresolved(pairs: set[tuple[str, str]]) -> tuple[UnresolvedObject, ...]:
    by_path: dict[str, list[str]] = {}
    for file, name in sorted(pairs):
        by_path.setdefault(file, []).append(name)
    return tuple(UnresolvedObject(path=file, missing=tuple(m)) for file, m in by_path.items())


def _parse_linked(answer: ProbeAnswer) -> LinkedLibraries | None:
    if answer.linked is None:
        return None
    versions = system_versions(answer)
    return LinkedLibraries(
        tuple(
            LinkedLibrary(path=file, package=owner or None, version=versions.get(owner))
            for file, owner in answer.linked
        )
    )


def broken_objects(facts: Facts) -> Reading:
    """List R's shared objects whose libraries are not found."""
    found = facts.get(UnresolvedObjects)
    if found is None:
        raise without_r(facts)
    return {"": frozenset(f"{one.path}: {', '.join(one.missing)}" for one in found)}


def linked(facts: Facts) -> Reading:
    """List the system packages whose libraries R and its packages are linked to."""
    found = facts.get(LinkedLibraries)
    if found is None:
        raise without_r(facts)
    return {
        one.package: one.version or ""
        for one in found
        if one.package and not is_told_elsewhere(one.package)
    }


def own_libraries(facts: Facts) -> Reading:
    """List libraries that R is linked to and no package brought: built by hand."""
    found = facts.get(LinkedLibraries)
    if found is None:
        raise without_r(facts)
    paths = (one.path for one in found if one.package is None)
    return {
        "": frozenset(path for path in paths if not path.startswith(("/opt/R/", "/usr/lib/R/")))
    }


def _makes(facts: Facts, _: Making) -> Iterator[Made]:
    broken = facts.get(UnresolvedObjects) or ()
    yield from few([f"broken there: {one.path} misses {', '.join(one.missing)}" for one in broken])


_TAKES = (
    "=soname: [A-Za-z][A-Za-z]*[0-9]{0,4}([._+-]+([A-Za-z]+[0-9]{0,3}|[0-9]{1,4}))*"
    "|[A-Z]+_[0-9]{1,4}([.][0-9]{1,4})*\n"
    "=owner: [a-z]+[0-9]{0,4}([a-z]{1,7}[0-9]{0,3})?([.+-]+([a-z]+[0-9]{0,3}([a-z]{1,4}"
    "[0-9]{0,2})?|[0-9]{1,4}[a-z]{0,3}))*\n"
)
UNRESOLVED = Subject(
    name="unresolved_objects",
    rank=70,
    takes=_TAKES,
    part=UnresolvedObjects,
    parse=_parse_unresolved,
    r_lines={
        "unresolved": Fields(2, 2, _owner, takes="library,soname"),
        "objects_checked": Fields(1, 1, a_count, takes="number"),
    },
    kinds=(
        kind_of_machine(
            "objects.broken",
            Consequence.FAILS,
            10,
            title="shared objects whose libraries are missing",
            how="set",
            why="library() of that package fails, on the day that somebody first needs it",
            bug="gagolews/stringi/issues/511",
            read=broken_objects,
        ),
    ),
    makes=_makes,
)
LINKED = Subject(
    name="linked_libraries",
    rank=220,
    part=LinkedLibraries,
    parse=_parse_linked,
    r_lines={"linked": Fields(2, 2, named, takes="library,owner")},
    kinds=(
        kind_of_machine(
            "library",
            Consequence.FAILS,
            140,
            title="a system library that R packages are linked to",
            how="version",
            versions="system",
            why="another version may miss a symbol that a package was built with, or "
            "behave otherwise",
            bug="gagolews/stringi/issues/209",
            read=linked,
        ),
        kind_of_machine(
            "unpackaged",
            Consequence.FAILS,
            150,
            title="libraries that no package brought",
            how="set",
            why="built by hand, they are not there on the next machine",
            bug="xrobin/pROC/issues/93",
            read=own_libraries,
        ),
    ),
)
