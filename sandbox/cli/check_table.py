"""The table of checks: one line each, the failed ones unfolded, and the count at the end.

Readable without colour: every line says in a word how its check ended.
"""

from sandbox.checks.results import CheckReport, CheckResult, Goal, Outcome
from sandbox.cli.console import (
    BOLD,
    DIM,
    GREEN,
    RED,
    YELLOW,
    Painted,
    colourful,
    line,
    lines,
    paint,
)
from sandbox.cli.rows import cell, field

_LOOKS = {
    Outcome.PASSED: ("✓", "ok", GREEN),
    Outcome.FAILED: ("✗", "FAILED", RED),
    Outcome.ERROR: ("!", "ERROR", RED),
    Outcome.SKIPPED: ("-", "skipped", YELLOW),
}
_WORD_WIDTH = max(len(word) for _, word, _ in _LOOKS.values())
_INDENT = " " * (_WORD_WIDTH + 6)
_LABEL_WIDTH = 9
_SLOW_S = 1.0


def render_report(report: CheckReport, *, colour: bool | None = None) -> Painted:
    """Render the whole table as text.

    Args:
        report: the results of the checks.
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
    count = paint(f"{good} of {len(results)} ok", DIM, on=on)
    return line(paint(goal.value, BOLD, on=on), f": {goal.promise}  (", count, ")")


def _rows(result: CheckResult, *, on: bool) -> list[str]:
    mark, word, code = _LOOKS[result.outcome]
    label = cell(f"{mark} {word}", _WORD_WIDTH + 2, code, on=on)
    took = f"  {result.elapsed_s:.1f} s" if result.elapsed_s >= _SLOW_S else ""
    rows: list[str] = [line("  ", label, f"  {result.title}", paint(took, DIM, on=on))]
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


def _field(label: str, text: str, *, on: bool) -> list[Painted]:
    """Text next to its label; a command must be one line, to be copied."""
    is_command = label == "fix"
    return field(
        label, text, width=_LABEL_WIDTH, indent=_INDENT, gap=" ", fold=not is_command, on=on
    )


def _summary(report: CheckReport, *, on: bool) -> Painted:
    code = GREEN if report.ok else RED
    return line(paint(report.summary, code, on=on), f"  ({report.sandbox}, box {report.box})")
