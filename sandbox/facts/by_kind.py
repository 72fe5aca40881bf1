"""Facts that share their explanation, so that it is said once, on a terminal and on a page."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from sandbox.facts.differences import Diff, DiffOutcome, FactDiff

_SILENT = (DiffOutcome.NOT_COMPARABLE, DiffOutcome.UNREADABLE)


@dataclass(frozen=True)
class Alike:
    """Differences of one kind, in their order."""

    title: str
    """What they have in common: `the version of an R package`."""
    why: str
    link: str
    facts: tuple[FactDiff, ...]

    @property
    def id(self) -> str:
        """`r.package`: what `--only` and `--ignore` take for all of them."""
        return self.facts[0].id.partition("@")[0].removesuffix(f".{item_of(self.facts[0])}")


def alike(facts: Iterable[FactDiff]) -> tuple[Alike, ...]:
    """Group facts by kind; those of one kind stand together already."""
    return tuple(Alike(*kind, facts=tuple(found)) for kind, found in groupby(facts, key=_kind))


def item_of(fact: FactDiff) -> str:
    """Return the item that a fact is of: `shiny` of r.package.shiny; empty if it has none."""
    return fact.title.partition(": ")[2]


def is_told_by_note(fact: FactDiff) -> bool:
    """Tell whether the note says it all: of sets, it has what is missing and what is more."""
    return fact.how == "set" and bool(fact.note) and fact.a is not None and fact.b is not None


def not_compared(diff: Diff) -> dict[tuple[str, DiffOutcome], list[str]]:
    """Group the facts that were not compared by the reason, and whether they are `unreadable`."""
    found: dict[tuple[str, DiffOutcome], list[str]] = {}
    for fact in diff.facts:
        if fact.outcome in _SILENT:
            found.setdefault((fact.note, fact.outcome), []).append(fact.id)
    return found


def _kind(fact: FactDiff) -> tuple[str, str, str]:
    return fact.title.partition(": ")[0], fact.why, fact.link
