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
        view: by whom R is seen, for a kind of R's.
        unknown: what to say when the value cannot be compared.

    Raises:
        CannotLook: it could not be read, or not be compared.
    """
    found = comparison(seen, plan, kind, view=view)
    fact = found.get(item) or found.get("")
    if fact is None or fact.outcome not in (DiffOutcome.EQUAL, DiffOutcome.DIFFERS):
        raise CannotLook(unknown or (fact.note if fact is not None else f"{kind} is not stated"))
    return fact.outcome is DiffOutcome.EQUAL


def comparison(
    seen: Seen, plan: Plan, kind: str, *, view: RView | None = None
) -> dict[str, FactDiff]:
    """Compare what the plan states of a kind of facts with what the machine has, item by item."""
    of = registry.kind(kind)
    return compare_with_box(
        of,
        side_of_plan(plan, seen.hashes, kind=of),
        Side(name="the machine", facts=seen.facts),
        view.seen_by if view is not None else None,
    )
