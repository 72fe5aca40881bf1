"""Facts: the probe's answer, one schema for a sandbox and for production alike.

Frozen, and round-trips through JSON. What each subject knows is a part, found by its class:
`facts[Timezone].name`. Three kinds of "nothing" are kept apart: a part that is not there was not
seen, or the machine has no such thing (and `not_seen` says why), an empty list means that there is
none, `Limit.soft = None` means unlimited. A value that is not known to be harmless never gets this
far: the probe puts a placeholder there, on the machine itself (probe/untaken.py).
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, Literal, Self

from pydantic import BaseModel

from sandbox.facts.part import FactsModel, PartsHolder

FORMAT: Final = 4
"""Of the schema. 1 had no tools, drivers, fonts, configuration files and sources of packages; 2 had
`<redacted>` for what looked like a secret, and all the rest as it was; 3 had options without their
types. A new subject is no new format: facts that do not have it say that it was not seen."""

OLDER: Final = "captured by an older sandbox"
"""Why a subject was not seen that the file does not know."""


class NotSeen(FactsModel):
    """Something that could not be read."""

    what: str
    why: str


class ProbeRun(FactsModel):
    """How these facts were taken."""

    user: str
    """The account the probe ran as."""
    privileged: bool
    """Whether it was root, or could become root by `sudo -n`."""
    taken_at: str
    """UTC, ISO 8601, by the machine's own clock."""


class Facts(PartsHolder):
    """What a machine is."""

    format: Literal[4] = FORMAT
    probe: ProbeRun
    not_seen: tuple[NotSeen, ...] = ()
    hash_key: str | None = None
    """Which key the hashes in placeholders were made with (untaken.py); None: there are none."""

    @classmethod
    def part_models(cls) -> Mapping[str, type[BaseModel]]:
        """Return the model of the part of every subject of the machine."""
        from sandbox.facts import registry

        return registry.machine_parts()

    @classmethod
    def required_parts(cls) -> frozenset[str]:
        """Return the names of the parts that every machine has."""
        from sandbox.facts import registry

        return registry.required_parts()

    @classmethod
    def last_in_json(cls) -> tuple[str, ...]:
        """Name the fields about the facts as a whole, which stand behind the parts."""
        return ("not_seen", "hash_key")

    def _without_news(self, names: Sequence[str]) -> Self:
        """A file of before a subject was known says nothing of it."""
        older = (NotSeen(what=name, why=OLDER) for name in names)
        more = tuple(one for one in older if one not in self.not_seen)
        return self.model_copy(update={"not_seen": (*self.not_seen, *more)}) if more else self

    def is_older_than(self, name: str) -> bool:
        """Tell whether these facts were taken before the subject of that name was known."""
        return NotSeen(what=name, why=OLDER) in self.not_seen

    def why(self, what: str) -> str:
        """Say why `what` was not seen; empty when nobody says."""
        return next((one.why for one in self.not_seen if what in one.what), "")

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> object:
            """`facts.os`, as a box's own checks may have it; here it is `facts[Os]`."""
            model = None if name.startswith("_") else self.part_models().get(name)
            return self.get(model) if model is not None else super().__getattr__(name)
