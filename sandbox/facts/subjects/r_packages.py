"""The R packages that are installed, and the libraries that they are in."""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from sandbox.facts.kind import Consequence, Reading, kind_of_r
from sandbox.facts.making import Change, Made, Making, Unsaid, few, some
from sandbox.facts.r_lines import R_VERSION, Fields, a_path
from sandbox.facts.r_view import RPackage, RView
from sandbox.facts.subject import Facts, Hashes, RSaid, Stated, Subject
from sandbox.facts.subjects.packages import SystemPackages
from sandbox.facts.subjects.r import posit_version, series
from sandbox.facts.subjects.r_versions import makeable_rs
from sandbox.plan import Plan
from sandbox.probe.readers import name, path
from sandbox.spec.fits import fits
from sandbox.spec.texts import RPackage as PackageName


def _check(fields: tuple[str, ...], kind: str) -> None:
    for one in fields[:2]:
        name(one, kind)
    path(fields[2], kind)
    name(fields[3], kind, pattern=R_VERSION)


def _fields(said: RSaid) -> Mapping[str, Any]:
    packages = tuple(_package(*row) for row in said.rows("package"))
    return {"lib_paths": said.column("lib_path"), "packages": packages}


def _package(  # noqa: PLR0917  (the fields of one line, in their order)
    name: str,
    version: str,
    library: str,
    built: str,
    priority: str = "",
    repository: str = "",
    remote: str = "",
    needs: str = "",
) -> RPackage:
    return RPackage(
        name=name,
        version=version,
        library=library,
        built=built,
        priority=priority or None,
        repository=repository or None,
        remote=remote or None,
        needs=tuple(one for one in needs.split() if one != "R"),
    )


def packages(view: RView, _: Facts) -> Reading:
    """Return the versions that library() would load of packages that are not R's own."""
    return {name: package.version for name, package in loaded_packages(view).items()}


def loaded_packages(view: RView) -> dict[str, "_Package"]:
    """Map names to packages: of several with one name, the one in the first library."""
    found: dict[str, _Package] = {}
    order = {path: at for at, path in enumerate(view.lib_paths)}
    for one in sorted(view.packages, key=lambda one: order.get(one.library, len(order))):
        if one.priority != "base" and one.name not in found:
            found[one.name] = _Package(one.version, one.library, one.remote, one.built)
    return found


class _Package:
    """What counts of an installed package."""

    def __init__(self, version: str, library: str, remote: str | None, built: str) -> None:
        self.version = version
        self.library = library
        self.remote = remote
        self.built = built


def installed(view: RView, _: Facts) -> Reading:
    """List the packages that are there."""
    return dict.fromkeys(loaded_packages(view), "installed")


def remotes(view: RView, _: Facts) -> Reading:
    """Return the origin of each package that is from no repository."""
    return {name: one.remote for name, one in loaded_packages(view).items() if one.remote}


def built(view: RView, _: Facts) -> Reading:
    """List packages that were built for another R than this one (by its first two numbers)."""
    ours = series(view.version)
    wrong = {
        f"{n} ({p.built})" for n, p in loaded_packages(view).items() if series(p.built) != ours
    }
    return {"": frozenset(wrong)}


def personal(view: RView, _: Facts) -> Reading:
    """List packages that library() takes from a person's own library."""
    return {
        "": frozenset(
            f"{name} {one.version}"
            for name, one in loaded_packages(view).items()
            if _is_personal(one.library)
        )
    }


def _is_personal(library: str) -> bool:
    return library.startswith(("/home/", "/root/", "/Users/")) or "-library/" in library


def libraries(view: RView, _: Facts) -> Reading:
    """List .libPaths(), in order, without those of a person."""
    paths = [str(PurePosixPath(path)) for path in view.lib_paths if not _is_personal(path)]
    return {"": ":".join(paths)}


def _stated(plan: Plan, _: Hashes) -> Stated:
    if plan.r is None:
        return {}
    return {"r.installed": dict.fromkeys(plan.r.default_packages.names, "installed")}


def _makes(facts: Facts, making: Making) -> Iterator[Made]:
    view = making.view
    if view is None:
        return
    wanted = _wanted(view)
    if posit_version(view.home) is not None:
        yield from _of_posits_r(facts, view, wanted)
        return
    if wanted:
        # What this base's Debian does not have is left out, and said, when the sandbox is made
        yield Change(("r", "packages", "if_missing"), "skip")
        yield Change(("r", "packages", "names"), wanted)
    own = list(_by_hand(facts, view))
    if own:
        yield Unsaid(f"R packages not from Debian, in these versions: {some(own, '; ')}")
    yield from few([f"two versions of {one}" for one in _shadowed(view)])


def _of_posits_r(facts: Facts, view: RView, wanted: tuple[str, ...]) -> Iterator[Made]:
    """Debian has no packages for it; those of the distribution's own R beside it are its own."""
    if wanted:
        yield Unsaid(f"R packages of R {view.version} in {view.home}: {some(wanted)}")
    for number, one in enumerate(makeable_rs(facts)):
        names = _wanted(one.views[0]) if one.views else ()
        if names and posit_version(one.home) is None:
            place = ("r", "versions", str(number), "packages")
            yield Change((*place, "if_missing"), "skip")
            yield Change((*place, "names"), names)


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


def _by_hand(facts: Facts, view: RView) -> Iterator[str]:
    """R packages that did not come with the distribution, with where they are."""
    debian = {one.name for one in facts.get(SystemPackages) or ()}
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


_TAKES = (
    "=repository: CRAN|RSPM|PPM|P3M|RStudio|Posit|BioC(soft|ann|exp)?|Bioconductor("
    " [0-9][.][0-9]{1,2})?|R-Forge|CRANextra|RUniverse\n"
    "=remote: (github|gitlab|bitbucket|bioc|cran"
    "|standard):[A-Za-z][A-Za-z-]*[0-9]{0,3}/[A-Za-z][A-Za-z.-]*[0-9]{0,3}[A-Za-z]{0,4}"
    "(@v?[0-9]{1,4}([.][0-9]{1,4})*|@(main|master|HEAD|dev|devel))?\n"
)
R_PACKAGES = Subject(
    name="r_packages",
    rank=67,
    takes=_TAKES,
    r_lines={
        "lib_path": Fields(1, 1, a_path, takes="path"),
        "package": Fields(4, 8, _check),
    },
    r_fields=_fields,
    kinds=(
        kind_of_r(
            "r.package",
            Consequence.ANSWERS,
            70,
            title="the version of an R package",
            how="version",
            versions="r",
            why="functions change their defaults, their results and their names between versions",
            bug="rstudio/shiny/issues/2313",
            read=packages,
        ),
        kind_of_r(
            "r.personal",
            Consequence.ANSWERS,
            80,
            title="packages from a person's own library",
            how="set",
            why="library() takes the copy in a person's own library first, whatever the server has",
            bug="metrumresearchgroup/pkgr/issues/7",
            read=personal,
        ),
        kind_of_r(
            "r.remote",
            Consequence.ANSWERS,
            100,
            title="where an R package came from",
            how="exact",
            why="a package from a branch or a fork has the same version number and other code",
            bug="mtennekes/treemap/issues/23",
            read=remotes,
        ),
        kind_of_r(
            "r.installed",
            Consequence.FAILS,
            30,
            title="whether an R package is there",
            how="exact",
            why="library() of it fails on the machine that lacks it",
            bug="dreamRs/shinyWidgets/issues/34",
            read=installed,
        ),
        kind_of_r(
            "r.built",
            Consequence.FAILS,
            60,
            title="packages built for another R",
            how="set",
            why="they may not load, or crash: their compiled code was made for another R",
            bug="conda-forge/r-base-feedstock/issues/129",
            read=built,
        ),
        kind_of_r(
            "r.libraries",
            Consequence.BEHAVIOUR,
            50,
            title="the folders of R packages",
            how="exact",
            why="another order of the folders loads another version of the same package",
            bug="eddelbuettel/r2u/issues/23",
            read=libraries,
        ),
    ),
    stated=_stated,
    makes=_makes,
)
