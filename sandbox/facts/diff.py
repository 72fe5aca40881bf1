"""Two machines, fact by fact: what is equal, what differs, and what could not be compared."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from pydantic import BaseModel, ConfigDict

from sandbox.facts import registry
from sandbox.facts.compare import Comparison, Value, is_untaken, remark, shown, verdict
from sandbox.facts.facts import OLDER, Facts
from sandbox.facts.kind import (
    VIEWERS,
    CannotReadError,
    Consequence,
    FactKind,
    NotThereError,
    Reading,
    read_machine,
    read_view,
)
from sandbox.facts.r_view import Viewer
from sandbox.facts.sides import Side
from sandbox.facts.subjects.r import no_view, r_view
from sandbox.facts.subjects.shiny import SeenShinyServer

_LONGEST = 600


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
        """How many facts ended so."""
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
        """The differences of one group."""
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
        """Whether it is to be shown at all."""
        if self.only and not any(matches(fact, pattern) for pattern in self.only):
            return False
        return not any(matches(fact, pattern) for pattern in self.ignore)

    def reason(self, fact: FactDiff) -> str:
        """Why it is accepted; empty when it is not."""
        found = (self.accept or {}).items()
        return next((why for pattern, why in found if matches(fact, pattern)), "")


def matches(fact: FactDiff, pattern: str) -> bool:
    """Whether a pattern means this fact: its id, its kind, or its group."""
    names = {fact.id, fact.id.partition("@")[0], str(fact.consequence)}
    if any(fnmatchcase(name, pattern) for name in names):
        return True
    # `r.package` means all of them
    return fact.id.startswith((f"{pattern}.", f"{pattern}@"))


def compare(
    a: Side,
    b: Side,
    selection: Selection = Selection(),
    *,
    kinds: Iterable[FactKind] | None = None,
) -> Diff:
    """Compare every kind of fact, or just those."""
    wanted_kinds = registry.kinds() if kinds is None else kinds
    found = (fact for kind in wanted_kinds for fact in _of_kind(kind, a, b))
    wanted = [fact for fact in found if selection.wanted(fact)]
    facts = [
        fact.model_copy(update={"accepted": selection.reason(fact)})
        if fact.outcome is DiffOutcome.DIFFERS
        else fact
        for fact in wanted
    ]
    order = list(Consequence)
    facts.sort(key=lambda fact: order.index(fact.consequence))
    return Diff(a_name=a.name, b_name=b.name, facts=tuple(facts))


def _of_kind(kind: FactKind, a: Side, b: Side) -> Iterator[FactDiff]:
    if kind.of_machine is not None:
        of_machine = _reader_of_machine(kind)
        of_a, of_b = _read(kind, a, of_machine), _read(kind, b, of_machine)
        only, same_key = _stated(a, b, of_a, of_b), _same_key(a, b)
        yield from _compared(kind, of_a, of_b, only=only, same_key=same_key)
        return
    by_viewer = []
    for viewer in _viewers(a, b):
        yes = _reader(kind, viewer)
        by_viewer.append((viewer, _read(kind, a, yes), _read(kind, b, yes)))
    # Whoever could be asked on both sides and does not mention a thing does not see it
    asked = frozenset(
        VIEWERS[viewer]
        for viewer, of_a, of_b in by_viewer
        if not isinstance(of_a, _Silent) and not isinstance(of_b, _Silent)
    )
    facts = (
        fact
        for viewer, of_a, of_b in by_viewer
        for fact in _compared(
            kind,
            of_a,
            of_b,
            only=_stated(a, b, of_a, of_b),
            same_key=_same_key(a, b),
            seen_by=VIEWERS[viewer],
        )
    )
    yield from _merged(facts, asked)


def _stated(
    a: Side, b: Side, of_a: "Reading | _Silent", of_b: "Reading | _Silent"
) -> frozenset[str] | None:
    """The items that count when one side is a box, which says what it wants, not all there is."""
    readings = [
        reading
        for side, reading in ((a, of_a), (b, of_b))
        if side.facts is None and not isinstance(reading, _Silent)
    ]
    return frozenset.intersection(*map(frozenset, readings)) if readings else None


def _same_key(a: Side, b: Side) -> bool:
    keys = [side.facts.hash_key for side in (a, b) if side.facts is not None]
    return len(keys) == 2 and keys[0] is not None and keys[0] == keys[1]  # noqa: PLR2004


def _reader_of_machine(kind: FactKind) -> Callable[[Facts], Reading]:
    part = registry.names_of_parts().get(kind.id, "")

    def read(facts: Facts) -> Reading:
        if facts.is_older_than(part):
            raise CannotReadError(OLDER)
        return read_machine(kind, facts)

    return read


def _reader(kind: FactKind, viewer: Viewer) -> Callable[[Facts], Reading]:
    def read(facts: Facts) -> Reading:
        view = r_view(facts, viewer)
        if view is None:
            raise no_view(facts, viewer)
        return read_view(kind, facts, view)

    return read


def _viewers(a: Side, b: Side) -> list[Viewer]:
    """Those who run R on either machine; a login always."""
    found: list[Viewer] = ["login"]
    for viewer in ("shiny", "rstudio"):
        sides = [side.facts for side in (a, b) if side.facts is not None]
        if any(_has(facts, viewer) for facts in sides):
            found.append("shiny" if viewer == "shiny" else "rstudio")
    return found


def _has(facts: Facts, viewer: str) -> bool:
    if viewer == "shiny":
        return facts.get(SeenShinyServer) is not None or r_view(facts, "shiny") is not None
    return r_view(facts, "rstudio") is not None or any(
        one.what == "R inside an RStudio session" for one in facts.not_seen
    )


@dataclass(frozen=True)
class _Silent:
    """Nothing to compare with."""

    outcome: DiffOutcome
    reason: str


def _read(kind: FactKind, side: Side, read: Callable[[Facts], Reading]) -> Reading | _Silent:
    if side.facts is None:
        stated = (side.stated or {}).get(kind.id)
        if stated is None:
            return _Silent(DiffOutcome.NOT_COMPARABLE, f"{side.name} does not say")
        return stated
    try:
        return read(side.facts)
    except CannotReadError as error:
        return _Silent(DiffOutcome.UNREADABLE, f"{side.name}: {error}")
    except NotThereError as error:
        return _Silent(DiffOutcome.NOT_COMPARABLE, f"{side.name}: {error}")


def _compared(
    kind: FactKind,
    a: Reading | _Silent,
    b: Reading | _Silent,
    *,
    only: frozenset[str] | None,
    same_key: bool,
    seen_by: str | None = None,
) -> Iterator[FactDiff]:
    viewers = (seen_by,) if seen_by is not None else ()
    silent = [side for side in (a, b) if isinstance(side, _Silent)]
    if isinstance(a, _Silent) or isinstance(b, _Silent):
        if len(silent) == 2 and all(one.outcome is DiffOutcome.NOT_COMPARABLE for one in silent):  # noqa: PLR2004
            # Neither has such a thing: that is no fact of theirs
            return
        worst = next((one for one in silent if one.outcome is DiffOutcome.UNREADABLE), silent[0])
        yield FactDiff(
            id=kind.id,
            consequence=kind.consequence,
            title=kind.title,
            outcome=worst.outcome,
            how=kind.how,
            note="; ".join(one.reason for one in silent),
            seen_by=viewers,
        )
        return
    for item in sorted({*a, *b}):
        if only is None or item in only:
            yield _one(kind, item, a.get(item), b.get(item), viewers=viewers, same_key=same_key)


def _one(
    kind: FactKind,
    item: str,
    a: Value | None,
    b: Value | None,
    *,
    viewers: tuple[str, ...],
    same_key: bool,
) -> FactDiff:
    found = FactDiff(
        id=f"{kind.id}.{item}" if item else kind.id,
        consequence=kind.consequence,
        title=f"{kind.title}: {item}" if item else kind.title,
        outcome=DiffOutcome.DIFFERS,
        how=kind.how,
        seen_by=viewers,
    )
    if a is not None and b is not None:
        answer = verdict(a, b, kind.how, tolerance=kind.tolerance, same_key=same_key)
        if answer == "unknown":
            return found.model_copy(
                update={
                    "outcome": DiffOutcome.NOT_COMPARABLE,
                    "note": _not_taken(same_key=same_key),
                }
            )
        if answer == "equal":
            update = {"outcome": DiffOutcome.EQUAL, "a": _short(a), "b": _short(b)}
            return found.model_copy(update=update)
    return found.model_copy(
        update={
            "a": _short(a),
            "b": _short(b),
            "note": _note(a, b, kind.how)[:_LONGEST],
            "why": kind.why,
            "link": kind.link,
        }
    )


def _not_taken(*, same_key: bool) -> str:
    if same_key:
        return "the value was not taken, and its machine has no openssl to make a hash of it"
    return "the values were not taken, and not hashed with one key: capture both anew, here"


def _note(a: Value | None, b: Value | None, how: Comparison) -> str:
    if a is None or b is None:
        return ""
    if is_untaken(a) and is_untaken(b) and not isinstance(a, frozenset):
        return "differs, values not taken"
    return remark(a, b, how)


def _short(value: Value | None) -> str | None:
    if value is None:
        return None
    text = shown(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _merged(facts: Iterable[FactDiff], asked: frozenset[str]) -> Iterator[FactDiff]:
    """What everybody of `asked` sees alike is one fact; what only some see says who."""
    groups: dict[tuple[str, str | None, str | None, DiffOutcome, str], list[FactDiff]] = {}
    viewers: dict[str, set[str]] = {}
    for fact in facts:
        key = (fact.id, fact.a, fact.b, fact.outcome, fact.note)
        groups.setdefault(key, []).append(fact)
        viewers.setdefault(fact.id, set()).update(fact.seen_by)
    for (id_, *_), same_ones in groups.items():
        seen_by = tuple(viewer for one in same_ones for viewer in one.seen_by)
        alone = set(seen_by) != viewers[id_] | asked
        suffix = f"@{'+'.join(seen_by)}" if alone else ""
        yield same_ones[0].model_copy(update={"id": f"{id_}{suffix}", "seen_by": seen_by})
