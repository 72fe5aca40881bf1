"""The table of checks: one line each, the failed ones unfolded, and the count at the end.

Understandable without colour: every line says in a word how it ended.
"""

import textwrap

from sandbox.checks.results import CheckReport, CheckResult, Goal, Outcome
from sandbox.cli.console import Painted, colourful, line, lines, paint

_RED, _GREEN, _YELLOW, _BOLD, _DIM = "31", "32", "33", "1", "2"
_LOOKS = {
    Outcome.PASSED: ("✓", "ok", _GREEN),
    Outcome.FAILED: ("✗", "FAILED", _RED),
    Outcome.ERROR: ("!", "ERROR", _RED),
    Outcome.SKIPPED: ("-", "skipped", _YELLOW),
}
_WORD_WIDTH = max(len(word) for _, word, _ in _LOOKS.values())
_INDENT = " " * (_WORD_WIDTH + 6)
_WIDTH = 100
_SLOW_S = 1.0


def render_report(report: CheckReport, *, colour: bool | None = None) -> Painted:
    """The whole table as text.

    Args:
        report: what came of the checks.
        colour: use ANSI colours; decided by the terminal and NO_COLOR when None.
    """
    on = colourful(stdout=True) if colour is None else colour
    rows: list[str] = []
    for goal in Goal:
        if results := report.of(goal):
            rows += ["", _heading(goal, results, on=on)]
            for result in results:
                rows += _rows(result, on=on)
    rows += ["", _summary(report, on=on)]
    return lines(rows[1:])


def _heading(goal: Goal, results: tuple[CheckResult, ...], *, on: bool) -> Painted:
    good = sum(result.outcome is Outcome.PASSED for result in results)
    count = paint(f"{good} of {len(results)} ok", _DIM, on=on)
    return line(paint(goal.value, _BOLD, on=on), f": {goal.promise}  (", count, ")")


def _rows(result: CheckResult, *, on: bool) -> list[str]:
    mark, word, code = _LOOKS[result.outcome]
    label = paint(f"{mark} {word:<{_WORD_WIDTH}}", code, on=on)
    took = f"  {result.elapsed_s:.1f} s" if result.elapsed_s >= _SLOW_S else ""
    rows: list[str] = [line("  ", label, f"  {result.title}", paint(took, _DIM, on=on))]
    match result.outcome:
        case Outcome.PASSED:
            return rows
        case Outcome.SKIPPED:
            return rows + _field("because", result.actual, on=on)
        case Outcome.FAILED | Outcome.ERROR:
            found = "is" if result.outcome is Outcome.FAILED else "problem"
            rows += _field("expected", result.expected, on=on)
            rows += _field(found, result.actual, on=on)
            rows += _field("why", result.why, on=on)
            rows += _field("fix", result.fix, on=on)
            rows += _field("id", result.id, on=on)
    return rows


def _field(label: str, text: str, *, on: bool) -> list[str]:
    """The text under its label, long lines folded; nothing when there is no text."""
    room = _WIDTH - len(_INDENT) - 10
    folded = [
        piece
        for one in text.splitlines()
        for piece in (textwrap.wrap(one, room, break_on_hyphens=False) or [""])
    ]
    if label == "fix":
        # A command must be one line, to be copied
        folded = text.splitlines()
    heads = [paint(f"{label:<9}", _DIM, on=on), *[" " * 9] * len(folded)]
    return [line(_INDENT, head, " ", one) for head, one in zip(heads, folded, strict=False)]


def _summary(report: CheckReport, *, on: bool) -> Painted:
    code = _GREEN if report.ok else _RED
    return line(paint(report.summary, code, on=on), f"  ({report.sandbox}, box {report.box})")
