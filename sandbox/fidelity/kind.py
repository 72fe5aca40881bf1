"""A kind of fact: how it is read and compared, which bug a difference can cause, and a real one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from sandbox.fidelity.compare import Comparison, Value
from sandbox.probe.facts import Facts, RView, Viewer

Reading = Mapping[str, Value]
"""Item to value: a package's name to its version. A kind with one value has the item ``."""

VIEWERS: Mapping[Viewer, str] = {"login": "login", "shiny": "app", "rstudio": "session"}
"""As the facts call them, and as they are shown."""


class Consequence(StrEnum):
    """What a difference can lead to; the most dangerous first."""

    ANSWERS = "answers"
    FAILS = "fails"
    ACCESS = "access"
    SPEED = "speed"
    BEHAVIOUR = "behaviour"
    SURROUNDINGS = "surroundings"

    @property
    def words(self) -> str:
        """As a heading."""
        return _WORDS[self]


_WORDS = {
    Consequence.ANSWERS: "other answers from the same code",
    Consequence.FAILS: "code that works here fails there",
    Consequence.ACCESS: "who gets in",
    Consequence.SPEED: "speed and room to work",
    Consequence.BEHAVIOUR: "set up in another way",
    Consequence.SURROUNDINGS: "what lies beneath",
}


class CannotReadError(Exception):
    """This side could not be read; says why."""


class NotThereError(Exception):
    """This side has no such thing at all, so that there is nothing to compare; says what."""


@dataclass(frozen=True)
class Kind:
    """One kind of fact."""

    id: str
    """`r.package`; an item's fact is `r.package.shiny`."""
    consequence: Consequence
    title: str
    """As a noun: `the version of an R package`."""
    how: Comparison
    why: str
    """The bug that a difference can cause, in a sentence."""
    link: str
    """A bug of that kind that somebody had."""
    of_machine: Callable[[Facts], Reading] | None = None
    of_view: Callable[[RView, Facts], Reading] | None = None
    """Read for everyone who runs R: a login, an app, a session."""
    tolerance: float = 0.0
    """Of numbers, as a share of the larger one."""


def read_machine(kind: Kind, facts: Facts) -> Reading:
    """The values of a kind that is the machine's.

    Raises:
        CannotReadError: it could not be read.
        NotThereError: there is no such thing.
    """
    assert kind.of_machine is not None  # noqa: S101  (for mypy: the caller looked)
    return kind.of_machine(facts)


def read_view(kind: Kind, facts: Facts, viewer: Viewer) -> Reading:
    """The values of a kind of R's, as `viewer` sees them.

    Raises:
        CannotReadError: that view could not be taken.
        NotThereError: there is no R, or nobody of that kind.
    """
    assert kind.of_view is not None  # noqa: S101
    view = facts.r_view(viewer)
    if view is None:
        raise _no_view(facts, viewer)
    return kind.of_view(view, facts)


def _no_view(facts: Facts, viewer: Viewer) -> Exception:
    names = {"shiny": "R inside a Shiny app", "rstudio": "R inside an RStudio session"}
    wanted = names.get(viewer, "R of ")
    for one in facts.not_seen:
        if one.what.startswith(wanted):
            return CannotReadError(one.why)
    if not facts.r:
        return NotThereError("there is no R")
    what = {"shiny": "no Shiny Server", "rstudio": "no RStudio Server"}.get(viewer, "no login's R")
    return NotThereError(f"there is {what}")
