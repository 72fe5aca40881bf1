"""Goal correct: the Rs of the machine are those of the box, each where it is looked for."""

from collections.abc import Iterator
from dataclasses import replace

from sandbox.checks import fixes
from sandbox.checks.as_planned import differing
from sandbox.checks.check import CannotLook, Check, Look, none_of
from sandbox.checks.live import Seen
from sandbox.checks.results import Goal
from sandbox.checks.views import per_viewer
from sandbox.facts.r_view import RView
from sandbox.facts.subjects.r import RInstallation, RInstallations
from sandbox.placement import Placement
from sandbox.plan import Plan
from sandbox.spec.r_installed import MachineR

_SHOWN = 5


def seen_checks(placement: Placement) -> Iterator[Check[Seen]]:
    """Yield the checks of which Rs there are; of one R from Debian, that it is the only one."""
    rs = placement.plan.rs
    if [one.source for one in rs] == ["debian"]:
        yield _one(placement)
        return
    yield _all(placement, rs)
    default = next(one for one in rs if one.is_default)
    yield from per_viewer(
        placement,
        id="r.default",
        title=f"`R` is the default of the box, {default.version}",
        expected=default.home,
        why="a service or a script takes the first R on its PATH, which may be another one",
        look=lambda view: Look(view.home == default.home, view.home),
    )
    yield _links(placement, rs)
    for one in rs:
        if not one.is_default:
            yield _beside(placement, one)


def _one(placement: Placement) -> Check[Seen]:
    return Check(
        id="correct.r.one",
        goal=Goal.CORRECT,
        title="there is one R",
        expected="one installation",
        why="with two, a cron job and an app can run different ones, and nobody sees it",
        look=_one_r,
        fix=fixes.reset_command(placement),
    )


def _one_r(seen: Seen) -> Look:
    return Look(len(seen.facts[RInstallations]) == 1, _shown(seen))


def _shown(seen: Seen) -> str:
    homes = [f"{one.version or 'broken'} in {one.home}" for one in seen.facts[RInstallations]]
    return "; ".join(homes) or "no R"


def _all(placement: Placement, rs: tuple[MachineR, ...]) -> Check[Seen]:
    wanted = {one.home for one in rs}

    def look(seen: Seen) -> Look:
        return Look({one.home for one in seen.facts[RInstallations]} == wanted, _shown(seen))

    return Check(
        id="correct.r.all",
        goal=Goal.CORRECT,
        title="the Rs of the box are there, and no other",
        expected="; ".join(f"{one.version} in {one.home}" for one in rs),
        why="a script that names its R finds none, or one that nobody looks after",
        look=look,
        fix=fixes.up_command(placement),
    )


def _links(placement: Placement, rs: tuple[MachineR, ...]) -> Check[Seen]:
    """Debian's R has a link only where the box asks for it beside others."""
    linked = [one for one in rs if len(rs) > 1 or one.source == "posit"]

    def look(seen: Seen) -> Look:
        found = {one.home: one.found_as for one in seen.facts[RInstallations]}
        wrong = [_link(one) for one in linked if _link(one) not in found.get(one.home, ())]
        return none_of([f"{link} does not lead there" for link in wrong], nothing="all there")

    return Check(
        id="correct.r.links",
        goal=Goal.CORRECT,
        title="each R has a link with its version",
        expected=", ".join(_link(one) for one in linked),
        why="scripts and cron jobs name the R that they were written for: R-4.4.1",
        look=look,
        fix=fixes.up_command(placement),
    )


def _link(one: MachineR) -> str:
    return f"/usr/local/bin/R-{one.version}"


def _beside(placement: Placement, one: MachineR) -> Check[Seen]:
    """Another R than the default: it has the same settings, in site files of its own."""
    plan = placement.plan

    def look(seen: Seen) -> Look:
        found = next((r for r in seen.facts[RInstallations] if r.home == one.home), None)
        if found is None:
            return Look(ok=False, actual=f"there is no R in {one.home}")
        view = found.view("login")
        if view is None:
            raise CannotLook(f"the probe did not see R in {one.home}")
        return none_of(_wrong(seen, plan, one, found, view), nothing="as planned")

    return Check(
        id=f"correct.r.beside.{one.version}",
        goal=Goal.CORRECT,
        title=f"R {one.version} beside it starts, with the box's options and repositories",
        expected="its version, and the settings that the default R has",
        why="each R has site files of its own: what is set for one holds for no other",
        look=look,
        fix=fixes.up_command(placement),
    )


def _wrong(seen: Seen, plan: Plan, one: MachineR, found: RInstallation, view: RView) -> list[str]:
    wrong = []
    if not one.is_moving and view.version != one.version:
        wrong.append(f"it is R {view.version}")
    if view.startup_error:
        wrong.append(view.startup_error)
    # The same comparison, on a machine where this R is the only one
    alone = replace(seen, facts=seen.facts.with_parts(RInstallations((found,))))
    if plan.r is not None and plan.r.options:
        wrong += [f"option {name}" for name in differing(alone, plan, "r.option", view=view)]
    if plan.r is not None and plan.r.repos:
        wrong += [f"repository {name}" for name in differing(alone, plan, "r.repo", view=view)]
    return [*wrong[:_SHOWN], f"and {len(wrong) - _SHOWN} more"] if len(wrong) > _SHOWN else wrong
