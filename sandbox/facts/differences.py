"""What is known of two machines once they are compared: fact by fact, and which of them count."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from pydantic import BaseModel, ConfigDict

from sandbox.facts.compare import Comparison
from sandbox.facts.kind import Consequence


class DiffOutcome(StrEnum):
    """What came of comparing one fact."""

    EQUAL = "equal"
    DIFFERS = "differs"
    NOT_COMPARABLE = "not comparable"
    """One side has no such thing at all, or says nothing of it."""
    UNREADABLE = "unreadable"
    """It could not be read on one side: nothing is known."""


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FactDiff(_Frozen):
    """One fact of two machines."""

    id: str
    """`r.package.shiny`; with `@app` at its end when it is so only there."""
    consequence: Consequence
    title: str
    """`the version of an R package: shiny`"""
    outcome: DiffOutcome
    how: Comparison
    a: str | None = None
    """On the first machine; None where it has none."""
    b: str | None = None
    note: str = ""
    """`older`, `missing: …`; of what was not compared, why."""
    seen_by: tuple[str, ...] = ()
    """Of R's facts: in a login, an app, a session."""
    why: str = ""
    """The bug that the difference can cause."""
    link: str = ""
    """A bug of that kind that somebody had."""
    accepted: str = ""
    """Why this difference is known and left, as the box says."""


class Diff(_Frozen):
    """All of it."""

    format: int = 1
    a_name: str
    b_name: str
    facts: tuple[FactDiff, ...]

    def count(self, outcome: DiffOutcome) -> int:
        """Count the facts with that outcome."""
        # The page's template has plain words for the outcomes
        return sum(1 for one in self.facts if one.outcome == outcome)

    @property
    def compared(self) -> int:
        """How many facts were really compared."""
        return self.count(DiffOutcome.EQUAL) + self.count(DiffOutcome.DIFFERS)

    @property
    def differences(self) -> tuple[FactDiff, ...]:
        """What differs, the most dangerous first; what is accepted left out."""
        return tuple(
            one for one in self.facts if one.outcome is DiffOutcome.DIFFERS and not one.accepted
        )

    @property
    def accepted(self) -> tuple[FactDiff, ...]:
        """What differs and is known to."""
        return tuple(
            one for one in self.facts if one.outcome is DiffOutcome.DIFFERS and one.accepted
        )

    def of(self, consequence: Consequence) -> tuple[FactDiff, ...]:
        """Return the differences of one group."""
        return tuple(one for one in self.differences if one.consequence is consequence)

    @property
    def summary(self) -> str:
        """`412 facts compared: 398 equal, 14 differ; 3 not comparable, 5 unreadable`."""
        accepted = f" ({len(self.accepted)} accepted)" if self.accepted else ""
        return (
            f"{self.compared} facts compared: {self.count(DiffOutcome.EQUAL)} equal, "
            f"{self.count(DiffOutcome.DIFFERS)} differ{accepted}; "
            f"{self.count(DiffOutcome.NOT_COMPARABLE)} not comparable, "
            f"{self.count(DiffOutcome.UNREADABLE)} unreadable"
        )


@dataclass(frozen=True)
class Selection:
    """Which facts count: glob patterns over ids, kinds, or names of groups."""

    only: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    accept: Mapping[str, str] | None = None
    """Pattern to why the difference is left."""

    def wanted(self, fact: FactDiff) -> bool:
        """Tell whether a fact is to be shown at all."""
        if self.only and not any(matches(fact, pattern) for pattern in self.only):
            return False
        return not any(matches(fact, pattern) for pattern in self.ignore)

    def reason(self, fact: FactDiff) -> str:
        """Say why a fact's difference is accepted; empty when it is not."""
        found = (self.accept or {}).items()
        return next((why for pattern, why in found if matches(fact, pattern)), "")


ALL = Selection()
"""Every fact counts, and no difference is accepted."""


def matches(fact: FactDiff, pattern: str) -> bool:
    """Tell whether a pattern means this fact: its id, its kind, or its group."""
    names = {fact.id, fact.id.partition("@")[0], str(fact.consequence)}
    if any(fnmatchcase(name, pattern) for name in names):
        return True
    # `r.package` means all of them
    return fact.id.startswith((f"{pattern}.", f"{pattern}@"))
