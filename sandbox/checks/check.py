"""What a check is: a statement about the machine, and a look that finds out whether it holds.

A check is made from the plan alone. It looks at the facts (the probe's answer), at the inspection
(one command's answer), or at the live machine; the first two can be tried out without any machine.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sandbox.checks.results import Goal
from sandbox.plan import Plan

Evidence = TypeVar("Evidence")


@dataclass(frozen=True)
class Look:
    """What one look found."""

    ok: bool
    actual: str
    """In the words of a sentence that begins with "is:"."""
    fix: str = ""
    """What mends just what was found, instead of the check's own words."""


class CannotLook(Exception):  # noqa: N818  (the reason is no error of the machine)
    """The check cannot be carried out: its evidence is missing. An error, never a pass."""


class NothingToLookAt(Exception):  # noqa: N818
    """The check does not apply, for a reason only the live machine could tell: skipped."""


@dataclass(frozen=True)
class Check(Generic[Evidence]):
    """One statement about the machine, made from the plan."""

    id: str
    goal: Goal
    title: str
    expected: str
    why: str
    look: Callable[[Evidence], Look]
    fix: str = ""
    order: int = 0
    """Checks that end processes of the machine come last: the higher, the later. 0 only reads.

    A restart comes before a first page: the page that it waits for is one.
    """

    @property
    def disturbs(self) -> bool:
        """Whether people at work on the machine would notice."""
        return self.order > 0


ChecksOf = Callable[[Plan], Iterable[Check[Evidence]]]
"""The checks that a plan calls for."""


Verify = Callable[[Check[Any], object], None]
"""The fixture by which a test of the suite looks, fails when it must, and keeps what was found."""


class CheckFailed(AssertionError):  # noqa: N818  (it is a result, not an error)
    """The statement does not hold."""

    def __init__(self, look: Look) -> None:
        super().__init__(look.actual)
        self.look = look


def require(check: Check[Evidence], evidence: Evidence) -> Look:
    """Look, and fail when the statement does not hold.

    Raises:
        CheckFailed: with what was found instead.
        CannotLook: the evidence is missing.
    """
    look = check.look(evidence)
    if not look.ok:
        raise CheckFailed(look)
    return look


def equal(actual: object, expected: object, *, shown: str | None = None) -> Look:
    """Return a look that holds when the two values are equal."""
    return Look(actual == expected, shown if shown is not None else str(actual))


def none_of(offenders: Iterable[str], *, nothing: str = "none") -> Look:
    """Return a look that holds when there are no offenders, and names them all otherwise."""
    found = tuple(offenders)
    return Look(not found, "; ".join(found) if found else nothing)
