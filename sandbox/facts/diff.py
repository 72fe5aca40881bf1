"""Two machines, fact by fact: what is equal, what differs, and what could not be compared."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from sandbox.facts import registry
from sandbox.facts.compare import Comparison, Value, is_untaken, remark, shown, verdict
from sandbox.facts.differences import ALL, Diff, DiffOutcome, FactDiff, Selection
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
from sandbox.facts.planned import PlannedForAll
from sandbox.facts.r_view import Viewer
from sandbox.facts.sides import Side
from sandbox.facts.subjects.packages import PackageManager
from sandbox.facts.subjects.r import no_view, r_view
from sandbox.facts.subjects.shiny import SeenShinyServer
from sandbox.facts.versions import Scheme

_LONGEST = 600


def compare(
    a: Side,
    b: Side,
    selection: Selection = ALL,
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


def compare_with_box(
    kind: FactKind, box: Side, machine: Side, seen_by: Viewer | None = None
) -> dict[str, FactDiff]:
    """Compare what a box says of one kind with a machine.

    Args:
        kind: what is compared.
        box: a side that states.
        machine: a side that has facts.
        seen_by: who runs the R that counts, for a kind of R's.

    Returns:
        Item to its fact; under the empty item alone where nothing could be read.
    """
    viewer = VIEWERS[seen_by] if seen_by is not None else None
    of_box, of_machine, how = _readings(kind, box, machine, seen_by)
    found = _compared(kind, of_box, of_machine, how, seen_by=viewer)
    return {fact.id.removeprefix(kind.id).removeprefix("."): fact for fact in found}


def _of_kind(kind: FactKind, a: Side, b: Side) -> Iterator[FactDiff]:
    if kind.of_machine is not None:
        yield from _compared(kind, *_readings(kind, a, b, None))
        return
    by_viewer = [(viewer, *_readings(kind, a, b, viewer)) for viewer in _viewers(a, b)]
    # Whoever could be asked on both sides and does not mention a thing does not see it
    asked = frozenset(
        VIEWERS[viewer]
        for viewer, of_a, of_b, _ in by_viewer
        if not isinstance(of_a, _Silent) and not isinstance(of_b, _Silent)
    )
    facts = (
        fact
        for viewer, of_a, of_b, how in by_viewer
        for fact in _compared(kind, of_a, of_b, how, seen_by=VIEWERS[viewer])
    )
    yield from _merged(facts, asked)


def _readings(
    kind: FactKind, a: Side, b: Side, viewer: Viewer | None
) -> "tuple[Reading | _Silent, Reading | _Silent, _How]":
    """What both sides have, and how to compare that; without a viewer, of the machine itself."""
    if viewer is None:
        read = _reader_of_machine(kind)
    else:
        read = _reader(kind, viewer, for_box=a.facts is None or b.facts is None)
    of_a, of_b = _read(kind, a, read), _read(kind, b, read)
    of_a, of_b = _for_all(of_a, of_b), _for_all(of_b, of_a)
    return of_a, of_b, _how(kind, a, b, of_a, of_b)


def _for_all(of_box: "Reading | _Silent", of_other: "Reading | _Silent") -> "Reading | _Silent":
    """What a box states of all items, said of each that the other side has."""
    if not isinstance(of_box, PlannedForAll) or isinstance(of_other, _Silent):
        return of_box
    return dict.fromkeys(of_other, of_box.rest) | of_box


@dataclass(frozen=True)
class _How:
    """In which way the readings of two sides are compared."""

    only: frozenset[str] | None
    """The items that count; None: all of them."""
    same_key: bool
    """The hashes of both sides were made with one key."""
    scheme: Scheme
    """Of versions, the program that wrote them down."""


def _how(
    kind: FactKind, a: Side, b: Side, of_a: "Reading | _Silent", of_b: "Reading | _Silent"
) -> _How:
    return _How(_stated(a, b, of_a, of_b), _same_key(a, b), _scheme(kind, a, b))


def _scheme(kind: FactKind, a: Side, b: Side) -> Scheme:
    if kind.versions != "system":
        return kind.versions
    # A box states no package's version, and would be of Debian
    seen = [side.facts.get(PackageManager) for side in (a, b) if side.facts is not None]
    managers: set[Scheme] = {one.root if one is not None else "plain" for one in seen} or {"dpkg"}
    return managers.pop() if len(managers) == 1 else "plain"


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
    return a.hash_key is not None and a.hash_key == b.hash_key


def _reader_of_machine(kind: FactKind) -> Callable[[Facts], Reading]:
    part = registry.names_of_parts().get(kind.id, "")

    def read(facts: Facts) -> Reading:
        if facts.is_older_than(part):
            raise CannotReadError(OLDER)
        return read_machine(kind, facts)

    return read


def _reader(kind: FactKind, viewer: Viewer, *, for_box: bool) -> Callable[[Facts], Reading]:
    def read(facts: Facts) -> Reading:
        view = r_view(facts, viewer)
        if view is None:
            raise no_view(facts, viewer)
        return read_view(kind, facts, view, for_box=for_box)

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
    how: _How,
    *,
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
    for item in _items(kind, a, b):
        if how.only is None or item in how.only:
            yield _one(kind, item, a.get(item), b.get(item), how, viewers=viewers)


def _items(kind: FactKind, a: Reading, b: Reading) -> list[str]:
    if kind.group is None:
        return sorted({*a, *b})
    both = {kind.group(item) for item in a} & {kind.group(item) for item in b}
    return [item for item in sorted({*a, *b}) if kind.group(item) in both]


def _one(
    kind: FactKind,
    item: str,
    a: Value | None,
    b: Value | None,
    how: _How,
    *,
    viewers: tuple[str, ...],
) -> FactDiff:
    found = FactDiff(
        id=f"{kind.id}.{item}" if item else kind.id,
        consequence=kind.consequence,
        title=f"{kind.title}: {item}" if item else kind.title,
        outcome=DiffOutcome.DIFFERS,
        how=kind.how,
        seen_by=viewers,
    )
    answer = verdict(
        a, b, kind.how, tolerance=kind.tolerance, scheme=how.scheme, same_key=how.same_key
    )
    if answer == "unknown":
        note = _not_taken(same_key=how.same_key)
        return found.model_copy(update={"outcome": DiffOutcome.NOT_COMPARABLE, "note": note})
    if answer == "equal":
        update = {"outcome": DiffOutcome.EQUAL, "a": _short(a), "b": _short(b)}
        return found.model_copy(update=update)
    return found.model_copy(
        update={
            "a": _short(a),
            "b": _short(b),
            "note": _note(a, b, kind.how, how.scheme)[:_LONGEST],
            "why": kind.why,
            "link": kind.link,
        }
    )


def _not_taken(*, same_key: bool) -> str:
    if same_key:
        return "the value was not taken, and its machine has no openssl to make a hash of it"
    return "the values were not taken, and not hashed with one key: capture both again, here"


def _note(a: Value | None, b: Value | None, how: Comparison, scheme: Scheme) -> str:
    if a is None or b is None:
        return ""
    if is_untaken(a) and is_untaken(b) and not isinstance(a, frozenset):
        return "differs, values not taken"
    return remark(a, b, how, scheme)


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
