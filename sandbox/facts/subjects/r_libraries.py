"""Which packages a box asks for, for each R, so that it has those of the server."""

from collections.abc import Iterator, Mapping

from sandbox.facts.library_lock import LibraryLock, lock_library
from sandbox.facts.making import Change, FileBeside, Made, Making, Unsaid, few, some
from sandbox.facts.r_view import RPackage, RView
from sandbox.facts.subject import Facts, Subject
from sandbox.facts.subjects.os import Os
from sandbox.facts.subjects.packages import SystemPackages
from sandbox.facts.subjects.r import RInstallation, main_r, posit_version, series
from sandbox.facts.subjects.r_packages import is_personal, loaded_packages
from sandbox.facts.subjects.r_versions import makeable_rs
from sandbox.spec.fits import fits
from sandbox.spec.texts import RPackage as PackageName

_HOMES_OF_SYSTEM = ("/usr/lib/R/", "/usr/lib64/R/")


def _makes(facts: Facts, making: Making) -> Iterator[Made]:
    makeable = makeable_rs(facts)
    alone = len(makeable) == 1
    for number, one in enumerate(makeable):
        if one.views:
            place = ("r",) if alone else ("r", "versions", str(number))
            yield from _of_one(facts, making, one, place)


def _of_one(
    facts: Facts, making: Making, one: RInstallation, place: tuple[str, ...]
) -> Iterator[Made]:
    view = one.views[0]
    debian = _debian_packages(facts)
    is_posits = posit_version(one.home) is not None
    loaded = [
        package for package in loaded_packages(view).values() if not is_personal(package.library)
    ]

    def is_of_system(package: RPackage) -> bool:
        return not is_posits and package.library.startswith(_HOMES_OF_SYSTEM)

    fit = is_posits or series(view.version) == series(making.base.r_version)
    lock = lock_library(view, loaded, is_of_system) if fit else None
    if lock is not None and lock.names:
        yield from _locked(facts, making, one, lock, place)
        yield from _beside_lock(view, lock, debian, making, facts)
    elif wanted := _wanted(view):
        if is_posits:
            yield Unsaid(f"R packages of R {view.version} in {view.home}: {some(wanted)}")
        else:
            # What this base's Debian does not have is left out, and said, when it is made
            yield Change((*place, "packages", "if_missing"), "skip")
            yield Change((*place, "packages", "names"), wanted)
    if lock is not None:
        yield from few([f"no place to get the R package {text}" for text in lock.left_out])
        if lock.left_out:
            yield Unsaid(
                "to have such a package too, put its NAME_VERSION.tar.gz in renv/cellar beside the "
                'lock, and give it a record there with `"Source": "Local"`'
            )
    elif own := list(_by_hand(view, debian)):
        yield Unsaid(f"R packages not from Debian, in these versions: {some(own, '; ')}")
    if one is main_r(facts):
        yield from few([f"two versions of {text}" for text in _shadowed(view)])


def _locked(
    facts: Facts, making: Making, one: RInstallation, lock: LibraryLock, place: tuple[str, ...]
) -> Iterator[Made]:
    view = one.views[0]
    name = f"{making.stem}-R{view.version}.renv.lock"
    yield FileBeside(name, lock.text)
    yield Change((*place, "packages", "source"), "renv")
    yield Change((*place, "packages", "lock"), name)
    if lock.without_repositories:
        yield Unsaid(
            f"{name} is without the address of {some(lock.without_repositories)}: it was not taken "
            "from the server; add it there, without a login"
        )
    if lock.from_system:
        yield Unsaid(
            f"{name} has packages that are {facts[Os].id}'s on the server, as others there need "
            f"them: {some(lock.from_system)}"
        )


def _beside_lock(
    view: RView, lock: LibraryLock, debian: Mapping[str, str], making: Making, facts: Facts
) -> Iterator[Made]:
    """The distribution's own R packages, which are there beside those of a lock."""
    wanted = [name for name in _wanted(view) if name not in lock.names]
    packages = {f"r-cran-{name.lower()}" for name in wanted}.intersection(debian)
    if packages and making.base.name == f"{facts[Os].id}-{facts[Os].version}":
        yield Change(("system", "packages"), tuple(sorted(packages)))
    elif packages:
        yield Unsaid(f"R packages of {facts[Os].id}: {some(sorted(packages))}")


def _debian_packages(facts: Facts) -> dict[str, str]:
    return {one.name: one.version for one in facts.get(SystemPackages) or ()}


def _wanted(view: RView) -> tuple[str, ...]:
    """The packages that somebody wanted: those that no other package brings along."""
    mine = loaded_packages(view)
    priority = {one.name for one in view.packages if one.priority}
    needed = {need for one in view.packages for need in one.needs if one.name not in priority}
    wanted = [
        name
        for name in mine
        if name not in needed and name not in priority and fits(PackageName, name)
    ]
    return tuple(sorted(wanted, key=str.lower))


def _by_hand(view: RView, debian: Mapping[str, str]) -> Iterator[str]:
    """R packages that did not come with the distribution, with where they are."""
    priority = {one.name for one in view.packages if one.priority}
    for package, one in sorted(loaded_packages(view).items()):
        if package not in priority and f"r-cran-{package.lower()}" not in debian:
            source = f", {one.remote}" if one.remote else ""
            yield f"{package} {one.version} ({one.library}{source})"


def _shadowed(view: RView) -> Iterator[str]:
    """R packages that are in two libraries in two versions."""
    versions: dict[str, set[str]] = {}
    for installed_one in view.packages:
        versions.setdefault(installed_one.name, set()).add(installed_one.version)
    for package, one in sorted(loaded_packages(view).items()):
        if others := versions[package] - {one.version}:
            yield f"{package}: {one.version} in {one.library}, also {', '.join(sorted(others))}"


R_LIBRARIES = Subject(name="r_libraries", rank=68, makes=_makes)
