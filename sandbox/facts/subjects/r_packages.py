"""The R packages that are installed, and the libraries that they are in."""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from sandbox.facts.kind import Consequence, Reading, kind_of_machine, kind_of_r
from sandbox.facts.planned import planned_packages
from sandbox.facts.r_lines import R_VERSION, Fields, a_path
from sandbox.facts.r_view import RPackage, RView
from sandbox.facts.subject import Facts, Hashes, RSaid, Stated, Subject
from sandbox.facts.subjects.r import RInstallations, main_r, series
from sandbox.plan import Plan
from sandbox.probe.readers import name, path


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


def loaded_packages(view: RView) -> dict[str, RPackage]:
    """Map names to packages: of several with one name, the one in the first library."""
    found: dict[str, RPackage] = {}
    order = {path: at for at, path in enumerate(view.lib_paths)}
    for one in sorted(view.packages, key=lambda one: order.get(one.library, len(order))):
        if one.priority != "base" and one.name not in found:
            found[one.name] = one
    return found


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
            if is_personal(one.library)
        )
    }


def is_personal(library: str) -> bool:
    """Tell whether a library is one person's own."""
    return library.startswith(("/home/", "/root/", "/Users/")) or "-library/" in library


def libraries(view: RView, _: Facts) -> Reading:
    """List .libPaths(), in order, without those of a person."""
    paths = [str(PurePosixPath(path)) for path in view.lib_paths if not is_personal(path)]
    return {"": ":".join(paths)}


def other_packages(facts: Facts) -> Reading:
    """Return the versions of the packages of each R beside the one that people get."""
    main = main_r(facts)
    return {
        f"{one.version}.{name}": package.version
        for one in facts[RInstallations]
        if one is not main and one.views
        for name, package in loaded_packages(one.views[0]).items()
    }


def _r_of(item: str) -> str:
    """Return the R's version, of `4.0.4.digest`: packages of an R that is not there are no fact."""
    return ".".join(item.split(".")[:3])


def _stated(plan: Plan, _: Hashes) -> Stated:
    if plan.r is None:
        return {}
    default, *others = plan.rs
    exact = planned_packages(plan, default.version)
    asked = dict.fromkeys(plan.r.default_packages.names, "installed")
    found: dict[str, Reading] = {"r.installed": asked | dict.fromkeys(exact, "installed")}
    if exact:
        found["r.package"] = dict(exact)
    beside = {
        f"{one.version}.{name}": version
        for one in others
        for name, version in planned_packages(plan, one.version).items()
    }
    return found | ({"r.other-package": dict(beside)} if beside else {})


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
        kind_of_machine(
            "r.other-package",
            Consequence.ANSWERS,
            75,
            title="the version of an R package of another R",
            how="version",
            versions="r",
            why="scripts and sessions that name that R load other code than on the other machine",
            bug="rstudio/shiny/issues/2313",
            read=other_packages,
            group=_r_of,
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
)
