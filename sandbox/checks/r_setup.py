"""Goal correct, R's side: its version, libraries, options, and whether it can draw and compute."""

from collections.abc import Callable, Iterator

from sandbox.checks import fixes, installed_rs, settings
from sandbox.checks.as_planned import is_as_planned
from sandbox.checks.check import CannotLook, Check, Look, equal, none_of
from sandbox.checks.live import Seen
from sandbox.checks.results import Goal
from sandbox.checks.views import per_viewer, per_viewer_and_seen
from sandbox.facts.r_view import RView
from sandbox.facts.subjects.blas import blas_library
from sandbox.facts.subjects.objects import UnresolvedObjects
from sandbox.facts.subjects.r import RInstallations
from sandbox.placement import Placement
from sandbox.plan import Plan
from sandbox.spec.r import R

_RNG = ("Mersenne-Twister", "Inversion", "Rejection")
_SHOWN = 5


def seen_checks(placement: Placement) -> Iterator[Check[Seen]]:
    """Yield the checks that R is what the box says, answered by the facts."""
    plan = placement.plan
    if plan.r is None:
        return
    yield from _versions(placement, plan.r)
    yield from _numbers(placement, plan.r)
    yield from settings.option_checks(placement, plan.r)
    yield from settings.repository_checks(placement, plan.r)
    yield from _packages(placement, plan.r)
    yield from _abilities(placement)


def _versions(placement: Placement, r: R) -> Iterator[Check[Seen]]:
    yield from installed_rs.seen_checks(placement)
    default = r.default
    if not default.is_moving:
        planned = default.version or placement.plan.base.r_version
        yield from per_viewer_and_seen(
            placement,
            id="r.version",
            title=f"R is {planned}",
            expected=planned,
            why="R 3.6 changed sample(), R 4.0 stringsAsFactors: the same script, other results",
            look=lambda view, seen: Look(
                is_as_planned(seen, placement.plan, "r.version", view=view), view.version
            ),
            fix=fixes.reset_command(placement),
        )
    yield from per_viewer(
        placement,
        id="r.startup",
        title="R starts with its site files and says nothing",
        expected="no error and no message before the first command",
        why="an error in Rprofile.site stops every R on the machine, apps included",
        look=_startup,
        fix=fixes.reset_command(placement),
    )


def _startup(view: RView) -> Look:
    if view.startup_error:
        return Look(ok=False, actual=view.startup_error)
    if said := view.startup_output.strip():
        return Look(ok=False, actual=f"it says: {said[:300]}")
    return Look(ok=True, actual="silent")


# Numbers


def _numbers(placement: Placement, r: R) -> Iterator[Check[Seen]]:
    yield from per_viewer(
        placement,
        id="r.rng",
        title="random numbers are drawn R's default way",
        expected=", ".join(_RNG),
        why="after RNGkind(sample.kind = 'Rounding') the same seed gives another sample",
        look=lambda view: equal(view.rng_kind, _RNG, shown=", ".join(view.rng_kind)),
        fix=fixes.reset_command(placement),
    )
    yield from per_viewer_and_seen(
        placement,
        id="r.blas",
        title=f"linear algebra is done by {r.blas}",
        expected="OpenBLAS" if r.blas == "openblas" else "the reference BLAS",
        why="another BLAS changes the last digits of a PCA and the time it takes tenfold",
        look=lambda view, seen: Look(
            is_as_planned(
                seen,
                placement.plan,
                "r.blas",
                view=view,
                unknown="R does not say which BLAS it uses",
            ),
            blas_library(view),
        ),
    )


# Packages


def _packages(placement: Placement, r: R) -> Iterator[Check[Seen]]:
    for name in r.default_packages.names:
        yield Check(
            id=f"correct.r.package.{name}",
            goal=Goal.CORRECT,
            title=f"the package {name} is there and loads",
            expected=f"loadNamespace('{name}') works, logins and apps find the same version",
            why="a package can be installed and yet not load, after an upgrade of what it links to",
            look=_package(name, placement.plan),
            fix=fixes.up_command(placement),
        )
    yield from per_viewer(
        placement,
        id="r.packages.built",
        title="every package was built for this R",
        expected="built under the same major version, and none under a later R",
        why="a library kept from another R loads until it crashes",
        look=_built,
        fix=fixes.reset_command(placement),
    )
    yield Check(
        id="correct.r.shared-objects",
        goal=Goal.CORRECT,
        title="every shared object of R finds its libraries",
        expected="none unresolved",
        why="stringi and its libicu after a system upgrade: half of the tidyverse stops loading",
        look=_objects,
        fix=fixes.up_command(placement),
    )


def _package(name: str, plan: Plan) -> Callable[[Seen], Look]:
    # Another R than the default has packages of its own
    homes = {one.home for one in plan.rs if one.is_default} if len(plan.rs) > 1 else None

    def look(seen: Seen) -> Look:
        installations = seen.facts[RInstallations]
        views = [
            view for one in installations for view in one.views if not homes or view.home in homes
        ]
        found = {view.seen_by: view.package(name) for view in views}
        versions = {one.version for one in found.values() if one is not None}
        if not versions or None in found.values():
            blind = [seen_by for seen_by, one in found.items() if one is None]
            return Look(
                ok=False, actual=f"not installed, as seen by {' and '.join(blind) or 'any R'}"
            )
        # The probe loads it once, in the kind of R that serves the users
        tried = next((one for view in views for one in view.loads if one.name == name), None)
        if tried is None:
            raise CannotLook(f"the probe was not asked to load {name}")
        if not tried.ok:
            return Look(ok=False, actual=tried.error or "it does not load")
        return Look(len(versions) == 1, f"{name} {' and '.join(sorted(versions))}")

    return look


def _built(view: RView) -> Look:
    series = _series(view.version)
    wrong = [
        f"{one.name} {one.version} for R {one.built} in {one.library}"
        for one in view.packages
        if one.built and not _fits(one.built, series)
    ]
    if len(wrong) > _SHOWN:
        wrong = [*wrong[:_SHOWN], f"and {len(wrong) - _SHOWN} more"]
    return none_of(wrong, nothing=f"all {len(view.packages)}")


def _series(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())


def _fits(built: str, series: tuple[int, ...]) -> bool:
    # Debian keeps packages of an earlier minor version as long as R's binary interface is the same
    return _series(built)[:1] == series[:1] and _series(built) <= series


def _objects(seen: Seen) -> Look:
    found = seen.facts.get(UnresolvedObjects)
    if found is None:
        raise CannotLook("the probe could not check shared objects")
    broken = [f"{one.path} lacks {', '.join(one.missing)}" for one in found]
    if len(broken) > _SHOWN:
        broken = [*broken[:_SHOWN], f"and {len(broken) - _SHOWN} more"]
    return none_of(broken)


# Abilities


def _abilities(placement: Placement) -> Iterator[Check[Seen]]:
    yield from per_viewer(
        placement,
        id="r.plot",
        title="a plot is drawn, with real letters",
        expected="a PNG in which different letters look different",
        why="without a font every label of every plot is a row of empty boxes, and nothing fails",
        look=_plot,
    )
    yield from per_viewer(
        placement,
        id="r.tempdir",
        title="programs may run in tempdir()",
        expected="a script in tempdir() is executed",
        why="with /tmp mounted noexec, packages do not install and callr does not start",
        look=_tempdir,
        fix=fixes.reset_command(placement),
    )


def _plot(view: RView) -> Look:
    found = view.graphics
    if found.error or not found.png_written:
        return Look(ok=False, actual=found.error or "nothing was written")
    if found.real_glyphs is None:
        raise CannotLook("the probe could not compare two plots")
    return Look(
        found.real_glyphs, "real letters" if found.real_glyphs else "boxes: no font is found"
    )


def _tempdir(view: RView) -> Look:
    if view.tempdir_exec is None:
        raise CannotLook("the probe could not try")
    said = "executed" if view.tempdir_exec else "not executed"
    return Look(view.tempdir_exec, f"{said} in {view.tempdir}")
