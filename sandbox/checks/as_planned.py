"""Whether a machine is as its plan says, by the same comparison that `sandbox diff` makes."""

from sandbox.checks.check import CannotLook
from sandbox.checks.live import Seen
from sandbox.facts import registry
from sandbox.facts.diff import compare_with_box
from sandbox.facts.differences import DiffOutcome, FactDiff
from sandbox.facts.r_view import RView
from sandbox.facts.sides import Side, side_of_plan
from sandbox.plan import Plan


def is_as_planned(
    seen: Seen,
    plan: Plan,
    kind: str,
    item: str = "",
    *,
    view: RView | None = None,
    unknown: str = "",
) -> bool:
    """Tell whether the machine has what the plan states.

    Args:
        seen: of the machine.
        plan: what it should be.
        kind: of facts, by its id.
        item: of that kind.
        view: the R that counts, for a kind of R's.
        unknown: what to say when the value cannot be compared.

    Raises:
        CannotLook: it could not be read, or not be compared.
    """
    found = _compared(seen, plan, kind, view)
    fact = found.get(item) or found.get("")
    if fact is None or fact.outcome not in (DiffOutcome.EQUAL, DiffOutcome.DIFFERS):
        raise CannotLook(unknown or (fact.note if fact is not None else f"{kind} is not stated"))
    return fact.outcome is DiffOutcome.EQUAL


def differing(seen: Seen, plan: Plan, kind: str, *, view: RView | None = None) -> list[str]:
    """List the items of a kind in which the machine differs from what the plan states.

    Raises:
        CannotLook: the machine's side could not be read.
    """
    found = _compared(seen, plan, kind, view)
    for fact in found.values():
        if fact.outcome is DiffOutcome.UNREADABLE:
            raise CannotLook(fact.note)
    return [item for item, fact in found.items() if fact.outcome is DiffOutcome.DIFFERS]


def _compared(seen: Seen, plan: Plan, kind: str, view: RView | None) -> dict[str, FactDiff]:
    of = registry.kind(kind)
    return compare_with_box(
        of,
        side_of_plan(plan, seen.hashes, kind=of),
        Side(name="the machine", facts=seen.facts),
        view.seen_by if view is not None else None,
    )
