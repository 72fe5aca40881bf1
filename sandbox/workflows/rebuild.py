"""Rebuild a production server: say before anything starts which differences will stay."""

from collections.abc import Iterable

from sandbox.events import Listener, Notice
from sandbox.guest.guest import Guest
from sandbox.missing import missing_r_packages
from sandbox.placement import Placement

_MOST_SHOWN = 10


def tell_rebuild(placement: Placement, listener: Listener) -> None:
    """List the differences from production that will stay; nothing for a box without production.

    Raises:
        UsageError: the facts of production cannot be read.
    """
    if placement.plan.production is None:
        return
    for line in rebuild_notes(placement):
        listener(Notice(placement.name, line))


def rebuild_notes(placement: Placement) -> list[str]:
    """Write one line for each difference that is known before the machine is there.

    Raises:
        UsageError: the facts of production cannot be read.
    """
    plan = placement.plan
    if plan.production is None:
        return []
    # Takes a tenth of a second to import, and most boxes name no production
    from sandbox.facts.diff import compare
    from sandbox.facts.differences import Selection
    from sandbox.facts.files import load_facts
    from sandbox.facts.sides import Side, side_of_plan

    facts = load_facts(plan.production)
    accept = {one.fact: one.why for one in plan.accept}
    found = compare(
        Side(name="production", facts=facts), side_of_plan(plan), Selection(accept=accept)
    )
    notes = []
    for one in found.differences:
        if one.id.partition("@")[0] == "r.version":
            notes.append(
                f"R {one.a} of production is not available here; the nearest is {one.b} "
                f"({plan.base.name})"
            )
        else:
            notes.append(f"will differ from production: {one.title}: {one.a} there, {one.b} here")
    if len(notes) > _MOST_SHOWN:
        more = len(notes) - _MOST_SHOWN
        notes = [*notes[:_MOST_SHOWN], f"and {more} more; sandbox diff shows them"]
    return notes


def leave_out_missing(guest: Guest, available: frozenset[str]) -> None:
    """Go on without the R packages that the base does not have, where the box allows that."""
    missing = missing_r_packages(guest.plan, available)
    if not missing:
        return
    guest.tell(f"{guest.plan.base.name} does not have {_listed(missing)}: left out")
    guest.placement = guest.placement.without_packages(missing)
    record = guest.read()
    if record is not None:
        guest.write(record.wanting(guest.placement))


def _listed(names: Iterable[str]) -> str:
    words = list(names)
    kind = "the R package" if len(words) == 1 else f"{len(words)} R packages:"
    return f"{kind} {', '.join(words)}"
