"""A kind of fact: how it is read and compared, which bug a difference can cause, and a real one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from sandbox.facts.compare import Comparison, Value
from sandbox.facts.facts import OLDER, Facts
from sandbox.facts.part import NotSeenError
from sandbox.facts.r_view import RView, Viewer
from sandbox.facts.versions import Scheme

Reading = Mapping[str, Value]
"""Item to value: a package's name to its version. A kind with one value has the item ``."""
Versions = Scheme | Literal["system"]
"""The program that wrote a version down; `system` is what installs packages on the machine."""
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
class FactKind:
    """One kind of fact."""

    id: str
    """`r.package`; an item's fact is `r.package.shiny`."""
    consequence: Consequence
    rank: int
    """Among the kinds of that consequence: the lower, the more dangerous, and the sooner shown."""
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
    of_view_for_box: Callable[[RView, Facts], Reading] | None = None
    """Read so where a box says what there should be: with all that two machines are not compared
    in, and as it stands. None: as between two machines."""
    tolerance: float = 0.0
    """Of numbers, as a share of the larger one."""
    versions: Versions = "plain"
    """Of versions: the program that wrote them down."""
    group: Callable[[str], str] | None = None
    """The thing that an item belongs to: where one side lacks that whole thing, another kind says
    so, and its items are not compared."""


_GITHUB = "https://github.com/"


def kind_of_machine(
    id_: str,
    consequence: Consequence,
    rank: int,
    *,
    title: str,
    how: Comparison,
    why: str,
    bug: str,
    read: Callable[[Facts], Reading],
    tolerance: float = 0.0,
    versions: Versions = "plain",
    group: Callable[[str], str] | None = None,
) -> FactKind:
    """Make a kind of fact about the machine; `bug` is the place of an example on GitHub."""
    link = f"{_GITHUB}{bug}"
    return FactKind(
        id_,
        consequence,
        rank,
        title,
        how,
        why,
        link,
        of_machine=read,
        tolerance=tolerance,
        versions=versions,
        group=group,
    )


def kind_of_r(
    id_: str,
    consequence: Consequence,
    rank: int,
    *,
    title: str,
    how: Comparison,
    why: str,
    bug: str,
    read: Callable[[RView, Facts], Reading],
    read_for_box: Callable[[RView, Facts], Reading] | None = None,
    tolerance: float = 0.0,
    versions: Versions = "plain",
) -> FactKind:
    """Make a kind of fact about R, as each who runs it sees it; `bug` is an example on GitHub."""
    link = f"{_GITHUB}{bug}"
    return FactKind(
        id_,
        consequence,
        rank,
        title,
        how,
        why,
        link,
        of_view=read,
        of_view_for_box=read_for_box,
        tolerance=tolerance,
        versions=versions,
    )


def read_machine(kind: FactKind, facts: Facts) -> Reading:
    """Read the values of a kind that is the machine's.

    Raises:
        CannotReadError: it could not be read.
        NotThereError: there is no such thing.
    """
    assert kind.of_machine is not None  # noqa: S101  (for mypy: the caller looked)
    try:
        return kind.of_machine(facts)
    except NotSeenError as error:
        raise CannotReadError(error.why) from error


def read_view(kind: FactKind, facts: Facts, view: RView, *, for_box: bool = False) -> Reading:
    """Read the values of a kind of R's, as `view` has them.

    Args:
        kind: of R's.
        facts: of the machine.
        view: one of its.
        for_box: they are compared with what a box says.

    Raises:
        CannotReadError: they could not be read.
        NotThereError: there is no such thing.
    """
    read = kind.of_view_for_box if for_box and kind.of_view_for_box else kind.of_view
    assert read is not None  # noqa: S101
    try:
        return read(view, facts)
    except NotSeenError as error:
        # A part of R's: what a newer R tells, and what it could not tell has a name
        raise CannotReadError(facts.why(f"R's {error.key}") or OLDER) from error
