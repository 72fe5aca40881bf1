"""The differences of two machines as text: grouped, the most dangerous first, and the count."""

import textwrap

from sandbox.cli.console import BOLD, GREEN, RED, YELLOW, Painted, colourful, line, lines, paint
from sandbox.cli.rows import WIDTH, field
from sandbox.facts.by_kind import Alike, alike, is_told_by_note, item_of, not_compared
from sandbox.facts.differences import Diff, FactDiff
from sandbox.facts.kind import Consequence

_COLOURS = {Consequence.ANSWERS: RED, Consequence.FAILS: RED, Consequence.ACCESS: RED}
_INDENT = " " * 6
_MANY = 4
"""From this number on, the facts of one kind share their explanation."""


def render_diff(diff: Diff, *, colour: bool | None = None) -> Painted:
    """Render the whole table as text.

    Args:
        diff: the comparison.
        colour: use ANSI colours; decided by the terminal and NO_COLOR when None.
    """
    on = colourful(stdout=True) if colour is None else colour
    shown: list[str] = []
    for consequence in Consequence:
        if found := diff.of(consequence):
            word = "difference" if len(found) == 1 else "differences"
            heading = f"{consequence.words}  ({len(found)} {word})"
            shown += ["", paint(heading, BOLD, on=on)]
            code = _COLOURS.get(consequence, YELLOW)
            for kind in alike(found):
                rows = _rows if len(kind.facts) < _MANY else _rows_of_many
                shown += rows(kind, diff, code=code, on=on)
    shown += _accepted(diff, on=on)
    shown += _not_compared(diff, on=on)
    shown += ["", paint(diff.summary, GREEN if not diff.differences else RED, on=on)]
    return lines(shown[1:])


def _rows(kind: Alike, diff: Diff, *, code: str, on: bool) -> list[str]:
    rows: list[str] = []
    width = _label_width([diff.a_name, diff.b_name, "can mean"])
    for fact in kind.facts:
        rows.append(line("  ", paint("≠", code, on=on), f" {fact.title}{_seen(fact)}"))
        if is_told_by_note(fact):
            rows += _field(diff.b_name, fact.note, width, on=on)
        else:
            rows += _field(diff.a_name, _text(fact.a), width, on=on)
            rows += _field(diff.b_name, f"{_text(fact.b)}{_note(fact)}", width, on=on)
        rows += _field("can mean", fact.why, width, on=on)
        rows += _field("seen at", fact.link, width, on=on)
        rows += _field("fact", fact.id, width, on=on)
    return rows


def _rows_of_many(kind: Alike, diff: Diff, *, code: str, on: bool) -> list[str]:
    """One kind of fact with many items: its possible effect once, then one line for each item."""
    items = [f"{item_of(fact)}{_seen(fact)}" for fact in kind.facts]
    width = _label_width([*items, "can mean"])
    head = line("  ", paint("≠", code, on=on), f" {kind.title}: {len(kind.facts)} differ")
    rows: list[str] = [head]
    rows += _field("can mean", kind.why, width, on=on)
    rows += _field("seen at", kind.link, width, on=on)
    rows += _field("facts", f"{kind.id}.…", width, on=on)
    rows += _field("", f"{diff.a_name} → {diff.b_name}", width, on=on)
    for item, fact in zip(items, kind.facts, strict=True):
        values = f"{_text(fact.a)} → {_text(fact.b)}{_note(fact)}"
        rows += _field(item, fact.note if is_told_by_note(fact) else values, width, on=on)
    return rows


def _seen(fact: FactDiff) -> str:
    return f"  ({', '.join(fact.seen_by)})" if "@" in fact.id else ""


def _note(fact: FactDiff) -> str:
    return f"  ({fact.note})" if fact.note else ""


def _text(value: str | None) -> str:
    return "(not there)" if value is None else value


def _label_width(labels: list[str]) -> int:
    return min(24, max(map(len, labels)))


def _field(label: str, text: str, width: int, *, on: bool) -> list[Painted]:
    return field(label, text, width=width, indent=_INDENT, on=on)


def _accepted(diff: Diff, *, on: bool) -> list[str]:
    if not diff.accepted:
        return []
    rows: list[str] = ["", paint(f"accepted  ({len(diff.accepted)})", BOLD, on=on)]
    for fact in diff.accepted:
        values = f"{_text(fact.a)} / {_text(fact.b)}"
        short = values if len(values) <= 60 else f"{values[:59]}…"  # noqa: PLR2004  (a line)
        rows.append(f"  - {fact.id}: {short}: {fact.accepted}")
    return rows


def _not_compared(diff: Diff, *, on: bool) -> list[str]:
    found = not_compared(diff)
    if not found:
        return []
    rows: list[str] = ["", paint("not compared", BOLD, on=on)]
    for (reason, outcome), ids in found.items():
        rows.append(f"  - {reason} ({outcome}): {len(ids)} facts")
        rows += textwrap.wrap(
            ", ".join(ids), WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT,
            break_on_hyphens=False,
        )  # fmt: skip
    return rows
