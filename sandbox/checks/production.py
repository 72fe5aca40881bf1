"""The machine against production: one check a kind of fact, with what the box accepts."""

import shlex
from collections.abc import Callable, Iterator

from sandbox.checks.check import CannotLook, Check, Look, NothingToLookAt
from sandbox.checks.live import Seen
from sandbox.checks.results import Goal
from sandbox.facts import registry
from sandbox.facts.diff import compare
from sandbox.facts.differences import DiffOutcome, Selection
from sandbox.facts.kind import FactKind
from sandbox.facts.sides import Side
from sandbox.placement import Placement

LIKE_PRODUCTION = "correct.production."
"""What the ids of these checks begin with."""
_MOST_SHOWN = 12


def seen_checks(placement: Placement) -> Iterator[Check[Seen]]:
    """Yield the comparisons with production; none for a box that names no production."""
    plan = placement.plan
    if plan.production is None:
        return
    accept = {one.fact: one.why for one in plan.accept}
    for kind in registry.kinds():
        yield Check(
            id=f"{LIKE_PRODUCTION}{kind.id}",
            goal=Goal.CORRECT,
            title=f"as in production: {kind.title}",
            expected="as in production, but for what the box accepts",
            why=kind.why,
            look=_like_production(kind, accept),
            fix=f"sandbox diff {shlex.quote(str(plan.production))} {placement.name} "
            f"--only {kind.id}, then change the box, or say why in `accept:`",
        )


def _like_production(kind: FactKind, accept: dict[str, str]) -> Callable[[Seen], Look]:
    def look(seen: Seen) -> Look:
        if seen.production is None:
            raise CannotLook("the facts of production could not be read")
        diff = compare(
            Side(name="production", facts=seen.production),
            Side(name="here", facts=seen.facts),
            Selection(accept=accept),
            kinds=(kind,),
        )
        if diff.differences:
            shown = [
                f"{one.id.removeprefix(f'{kind.id}.')}: {_said(one.a)} there, {_said(one.b)} here"
                if not (one.how == "set" and one.note)
                else f"{one.id}: {one.note}"
                for one in diff.differences[:_MOST_SHOWN]
            ]
            more = len(diff.differences) - len(shown)
            return Look(
                ok=False, actual="\n".join([*shown, *([f"and {more} more"] if more else [])])
            )
        if not diff.compared:
            silent = {one.note for one in diff.facts if one.outcome is not DiffOutcome.EQUAL}
            raise NothingToLookAt("; ".join(sorted(silent)) or "neither machine has any")
        accepted = "; ".join(f"{one.id} accepted: {one.accepted}" for one in diff.accepted)
        return Look(ok=True, actual=accepted or f"{diff.count(DiffOutcome.EQUAL)} equal")

    return look


def _said(value: str | None) -> str:
    return "not" if value is None else value
