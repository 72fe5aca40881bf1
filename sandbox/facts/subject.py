"""A subject of the facts: all that is known about one thing of a machine, in one place.

One file in `subjects/` holds it, with the fragments of the probe of the same name beside it (`.sh`,
`.R`, `.awk`). Nothing lists the subjects: registry.py finds them.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from sandbox.facts.facts import Facts, NotSeen
from sandbox.facts.hashes import Hashes
from sandbox.facts.kind import FactKind, Reading
from sandbox.facts.making import Made, Making
from sandbox.facts.r_lines import Fields
from sandbox.facts.r_said import ProbeAnswer, RSaid
from sandbox.facts.shapes import Shape
from sandbox.plan import Plan

Stated = Mapping[str, Reading]
"""Id of a kind to what a plan says of it."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One thing that is known of a machine, or of each R on it."""

    name: str
    """Under which its part stands in the JSON."""
    rank: int
    """Where among the others it is asked and shown: the lower, the sooner."""
    part: type[BaseModel] | None = None
    """What is known of the machine."""
    required: bool = False
    """Every machine has it: facts without it are not believed."""
    takes: str = ""
    """Which values may leave a machine, under names that are this subject's alone: lines as in
    probe/known/names.txt under [fact]. `take rows` of its shell, and `r_lines`, name them."""
    sections: Mapping[str, Shape] = field(default_factory=dict)
    """Of the probe's answer: name to what its lines may look like. The first one is blamed when no
    part can be made of them."""
    parse: Callable[[ProbeAnswer], BaseModel | None] | None = None
    """Make the part of the probe's answer; None when it was not seen or is not there."""
    unseen: Callable[[ProbeAnswer], Iterable[NotSeen]] | None = None
    """What could not be read, as far as the answer does not say so itself."""
    r_part: type[BaseModel] | None = None
    """What is known of each R, by each who runs it."""
    parse_r: Callable[[RSaid], BaseModel | None] | None = None
    """Make that part of what one R process said."""
    r_lines: Mapping[str, Fields] = field(default_factory=dict)
    """Of what R says: kind of line to what its fields may be."""
    r_fields: Callable[[RSaid], Mapping[str, Any]] | None = None
    """Fields of `RView` itself, which is older than parts of it."""
    kinds: tuple[FactKind, ...] = ()
    """How it is compared, and which bug a difference can cause."""
    stated: Callable[[Plan, Hashes], Stated] | None = None
    """What a plan says of its kinds. By the hashes it judges values that a machine keeps to itself;
    without them such a value can be compared with nothing."""
    makes: Callable[[Facts, Making], Iterable[Made]] | None = None
    """What in a box makes a machine so, as data; what no box can say."""


__all__ = ["Facts", "Hashes", "ProbeAnswer", "RSaid", "Stated", "Subject"]
