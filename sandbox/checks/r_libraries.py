"""Goal correct: each R has the packages that were fetched for it, at the versions of the plan."""

from collections.abc import Iterator

from sandbox.checks import fixes
from sandbox.checks.check import CannotLook, Check, Look, none_of
from sandbox.checks.live import Seen
from sandbox.checks.results import Goal
from sandbox.facts.planned import PlannedPackage, planned_packages
from sandbox.facts.r_view import RView
from sandbox.facts.subjects.r import RInstallations
from sandbox.facts.subjects.r_packages import loaded_packages
from sandbox.placement import Placement
from sandbox.spec.r_installed import MachineR

_SHOWN = 5


def seen_checks(placement: Placement) -> Iterator[Check[Seen]]:
    """Yield a check for each R whose packages this host fetched."""
    for one in placement.plan.rs:
        wanted = planned_packages(placement.plan, one.version)
        if wanted:
            yield _library(placement, one, wanted)


def _library(placement: Placement, one: MachineR, wanted: dict[str, PlannedPackage]) -> Check[Seen]:
    def look(seen: Seen) -> Look:
        found = next((r for r in seen.facts[RInstallations] if r.home == one.home), None)
        if found is None:
            return Look(ok=False, actual=f"there is no R in {one.home}")
        if not found.views:
            raise CannotLook(f"the probe did not see R in {one.home}")
        wrong = list(dict.fromkeys(text for view in found.views for text in _wrong(view, wanted)))
        if len(wrong) > _SHOWN:
            wrong = [*wrong[:_SHOWN], f"and {len(wrong) - _SHOWN} more"]
        return none_of(wrong, nothing=f"all {len(wanted)}")

    return Check(
        id=f"correct.r.library.{one.version}",
        goal=Goal.CORRECT,
        title=f"R {one.version} loads the {len(wanted)} fetched packages, at these very versions",
        expected="the versions that the plan names",
        why="after install.packages() by hand, a script finds another version than in production",
        look=look,
        fix=fixes.up_command(placement),
    )


def _wrong(view: RView, wanted: dict[str, PlannedPackage]) -> Iterator[str]:
    found = loaded_packages(view)
    for name, version in sorted(wanted.items()):
        if name not in found:
            yield f"{name} is not there"
        elif version.judge(found[name].version) != "equal":
            yield f"{name} is {found[name].version}, not {version}, in {found[name].library}"
