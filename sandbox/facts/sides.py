"""The sides of a comparison: a machine, or what a box states of one that need not exist."""

from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.facts import registry
from sandbox.facts.facts import Facts
from sandbox.facts.hashes import NO_HASHES, Hashes
from sandbox.facts.kind import FactKind, Reading
from sandbox.plan import Plan


@dataclass(frozen=True)
class Side:
    """A machine's facts, or what a box states of a machine that need not exist."""

    name: str
    facts: Facts | None = None
    stated: Mapping[str, Reading] | None = None
    """Of a box: kind to what it says, for everybody who runs R; nothing else is compared."""
    key_of_box: str | None = None
    """Which key a box's values are hashed with, where a machine's were not taken."""

    @property
    def hash_key(self) -> str | None:
        """Which key the hashes of this side were made with."""
        return self.facts.hash_key if self.facts is not None else self.key_of_box


def side_of_plan(plan: Plan, hashes: Hashes = NO_HASHES, *, kind: FactKind | None = None) -> Side:
    """Make a box one side of a comparison: only what it says is compared.

    Args:
        plan: of the box.
        hashes: with the key by which the other side's facts have hashes of what was not taken;
            without it such a value of the box can be compared with nothing.
        kind: say only what belongs to the subject of this kind; None: say everything.
    """
    stated: dict[str, Reading] = {}
    for subject in registry.subjects():
        if subject.stated is not None and (kind is None or kind in subject.kinds):
            stated |= subject.stated(plan, hashes)
    key = hashes.hash_key
    return Side(name=plan.box_name, stated=stated, key_of_box=key.id if key is not None else None)
