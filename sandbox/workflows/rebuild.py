"""Rebuilding a production server: what cannot be had is said before anything starts."""

from collections.abc import Iterable

from sandbox.events import Listener, Notice
from sandbox.facts.diff import Selection, compare
from sandbox.facts.files import load_facts
from sandbox.facts.sides import Side, side_of_plan
from sandbox.missing import missing_r_packages
from sandbox.plan import Plan
from sandbox.state import Instance

_MOST_SHOWN = 10


def tell_rebuild(plan: Plan, listener: Listener) -> None:
    """Say in what the sandbox will differ from production; nothing for a box that names none.

    Raises:
        UsageError: the facts of production cannot be read.
    """
    if plan.production is None:
        return
    for line in rebuild_notes(plan):
        listener(Notice(plan.name, line))


def rebuild_notes(plan: Plan) -> list[str]:
    """One line a difference that is known before the machine is there.

    Raises:
        UsageError: the facts of production cannot be read.
    """
    if plan.production is None:
        return []
    facts = load_facts(plan.production)
    accept = {one.fact: one.why for one in plan.accept}
    found = compare(
        Side(name="production", facts=facts), side_of_plan(plan), Selection(accept=accept)
    )
    notes = []
    for one in found.differences:
        if one.id.partition("@")[0] == "r.version":
            notes.append(
                f"R {one.a} of production is not to be had here; the nearest is {one.b} "
                f"({plan.base.name})"
            )
        else:
            notes.append(f"will differ from production: {one.title}: {one.a} there, {one.b} here")
    if len(notes) > _MOST_SHOWN:
        more = len(notes) - _MOST_SHOWN
        notes = [*notes[:_MOST_SHOWN], f"and {more} more; sandbox diff shows them"]
    return notes


def leave_out_missing(
    plan: Plan, available: frozenset[str], instance: Instance, listener: Listener
) -> Plan:
    """The plan without the R packages that the base does not have, where the box allows it."""
    missing = missing_r_packages(plan, available)
    if not missing:
        return plan
    listener(Notice(plan.name, f"{plan.base.name} does not have {_listed(missing)}: left out"))
    reduced = plan.without_packages(missing)
    record = instance.read()
    if record is not None:
        instance.write(record.model_copy(update={"plan": reduced}))
    return reduced


def _listed(names: Iterable[str]) -> str:
    words = list(names)
    kind = "the R package" if len(words) == 1 else f"{len(words)} R packages:"
    return f"{kind} {', '.join(words)}"
