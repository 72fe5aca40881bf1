"""The differences of two machines as text: grouped, the most dangerous first, and the count."""

import textwrap

from sandbox.cli.console import colourful, paint, plain
from sandbox.fidelity.diff import Diff, FactDiff, Outcome
from sandbox.fidelity.kind import Consequence

_RED, _GREEN, _YELLOW, _BOLD, _DIM = "31", "32", "33", "1", "2"
_COLOURS = {Consequence.ANSWERS: _RED, Consequence.FAILS: _RED, Consequence.ACCESS: _RED}
_WIDTH = 100
_INDENT = " " * 6


def render_diff(diff: Diff, *, colour: bool | None = None) -> str:
    """The whole table as text.

    Args:
        diff: what was compared.
        colour: use ANSI colours; decided by the terminal and NO_COLOR when None.
    """
    on = colourful(stdout=True) if colour is None else colour
    lines: list[str] = []
    for consequence in Consequence:
        if found := diff.of(consequence):
            word = "difference" if len(found) == 1 else "differences"
            heading = f"{consequence.words}  ({len(found)} {word})"
            lines += ["", paint(heading, _BOLD, on=on)]
            code = _COLOURS.get(consequence, _YELLOW)
            for fact in found:
                lines += _rows(fact, diff, code=code, on=on)
    lines += _accepted(diff, on=on)
    lines += _not_compared(diff, on=on)
    lines += ["", paint(diff.summary, _GREEN if not diff.differences else _RED, on=on)]
    return "\n".join(lines).lstrip("\n")


def _rows(fact: FactDiff, diff: Diff, *, code: str, on: bool) -> list[str]:
    seen = f"  ({', '.join(fact.seen_by)})" if "@" in fact.id else ""
    rows = [f"  {paint('≠', code, on=on)} {plain(fact.title)}{seen}"]
    if fact.how == "set" and fact.note and fact.a is not None and fact.b is not None:
        rows += _field(diff.b_name, fact.note, diff, on=on)
    else:
        note = f"  ({fact.note})" if fact.note else ""
        rows += _field(diff.a_name, _text(fact.a), diff, on=on)
        rows += _field(diff.b_name, f"{_text(fact.b)}{note}", diff, on=on)
    rows += _field("can mean", fact.why, diff, on=on)
    rows += _field("seen at", fact.link, diff, on=on)
    rows += _field("fact", fact.id, diff, on=on)
    return rows


def _text(value: str | None) -> str:
    return "(not there)" if value is None else value


def _field(label: str, text: str, diff: Diff, *, on: bool) -> list[str]:
    width = min(24, max(len(diff.a_name), len(diff.b_name), 8))
    head = plain(label)[:width].ljust(width)
    room = _WIDTH - len(_INDENT) - width - 2
    folded = [
        piece
        for line in plain(text).splitlines()
        for piece in (textwrap.wrap(line, room, break_on_hyphens=False) or [""])
    ]
    heads = [paint(head, _DIM, on=on), *[" " * width] * len(folded)]
    return [f"{_INDENT}{one}  {line}" for one, line in zip(heads, folded, strict=False)]


def _accepted(diff: Diff, *, on: bool) -> list[str]:
    if not diff.accepted:
        return []
    lines = ["", paint(f"accepted  ({len(diff.accepted)})", _BOLD, on=on)]
    for fact in diff.accepted:
        values = f"{_text(fact.a)} / {_text(fact.b)}"
        short = values if len(values) <= 60 else f"{values[:59]}…"  # noqa: PLR2004  (a line)
        lines.append(f"  - {plain(fact.id)}: {plain(short)}: {plain(fact.accepted)}")
    return lines


def _not_compared(diff: Diff, *, on: bool) -> list[str]:
    silent = (Outcome.NOT_COMPARABLE, Outcome.UNREADABLE)
    by_reason: dict[str, list[str]] = {}
    for fact in diff.facts:
        if fact.outcome in silent:
            by_reason.setdefault(f"{fact.note} ({fact.outcome})", []).append(fact.id)
    if not by_reason:
        return []
    lines = ["", paint("not compared", _BOLD, on=on)]
    for reason, ids in by_reason.items():
        lines.append(f"  - {plain(reason)}: {len(ids)} facts")
        lines += textwrap.wrap(
            ", ".join(ids), _WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT,
            break_on_hyphens=False,
        )  # fmt: skip
    return lines
