"""What in a box makes a machine as it was seen: changes as data, and what no box can say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sandbox.facts.r_view import RView
from sandbox.spec.base_models import Base

_MOST_NAMED: Final = 20
"""Of one kind, in comments that a person is to read."""


@dataclass(frozen=True)
class Room:
    """The most that the computer which will run the sandbox can give it."""

    cpus: int
    memory_mb: int
    disk_gb: int = 40


@dataclass(frozen=True)
class Making:
    """For which box something is to be said."""

    base: Base
    room: Room
    view: RView | None
    """How R is seen there; None when it did not start, or is not there."""
    stem: str = "production"
    """How the names of files beside the box begin."""


@dataclass(frozen=True)
class RCodeOf:
    """The value of an option, as the R code that makes it."""

    code: str


@dataclass(frozen=True)
class AskedFor:
    """A value that was not taken: `sandbox up` asks for the sandbox's own."""


@dataclass(frozen=True)
class BoxItems:
    """A list of maps, as a box has them: plain values, which the models have accepted."""

    items: tuple[Mapping[str, Any], ...]


BoxValue = str | int | float | tuple[str, ...] | RCodeOf | AskedFor | BoxItems


@dataclass(frozen=True)
class Change:
    """A place in the model of a box, and what stands there."""

    path: tuple[str, ...]
    """`("system", "environment", "REGION")`"""
    value: BoxValue
    comment: str = ""
    """Where it comes from, for a person."""


@dataclass(frozen=True)
class Unsaid:
    """What no box can say, or this one does not."""

    text: str


@dataclass(frozen=True)
class FileBeside:
    """A file that the box names, and that stands in its folder."""

    name: str
    """Without a folder."""
    text: str


Made = Change | Unsaid | FileBeside


def some(items: Sequence[str], between: str = ", ") -> str:
    """Join all items, or the first and how many more: the facts have every one."""
    more = len(items) - _MOST_NAMED
    shown = between.join(items[:_MOST_NAMED])
    return f"{shown}{between}and {more} more" if more > 0 else shown


def few(notes: Sequence[str]) -> list[Unsaid]:
    """Write a comment for each note, or for the first and how many more."""
    more = len(notes) - _MOST_NAMED
    shown = [*notes[:_MOST_NAMED], *([f"and {more} more like this"] if more > 0 else [])]
    return [Unsaid(note) for note in shown]
