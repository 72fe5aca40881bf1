"""Whether an option of R is what the box says, its type included."""

from collections.abc import Callable

from sandbox.checks.as_planned import is_as_planned
from sandbox.checks.check import Look
from sandbox.checks.live import Seen
from sandbox.facts import r_value
from sandbox.facts.r_view import RView
from sandbox.facts.shown import planned_code, shown_code
from sandbox.plan import Plan
from sandbox.probe.untaken import is_untaken
from sandbox.spec.values import OptionValue, Secret

_NOT_SET = Look(ok=False, actual="not set")


def option_look(
    plan: Plan, name: str, planned: OptionValue | Secret
) -> Callable[[RView, Seen], Look]:
    """Return the look at one option as R has it."""
    code = "" if isinstance(planned, Secret) else planned_code(planned)
    is_for_r_alone = bool(code) and r_value.read(code) is None

    def look(view: RView, seen: Seen) -> Look:
        actual = view.options.get(name)
        if actual is not None and is_for_r_alone:
            return Look(ok=True, actual=f"set: {r_value.kind_of(actual)}")
        if actual is None and code != "NULL":
            return _NOT_SET
        unknown = seen.hashes.why_unknown(planned)
        ok = is_as_planned(seen, plan, "r.option", name, view=view, unknown=unknown)
        return Look(ok, _words(name, actual, planned, ok=ok))

    return look


def expected_option(name: str, planned: OptionValue | Secret, shown: str) -> str:
    """Say what the check of an option expects."""
    if isinstance(planned, Secret) or r_value.read(planned_code(planned)) is not None:
        return "not set" if shown == "NULL" else shown
    # What a function or a call is worth, R alone can tell
    return f"set to what the box's R code for {name} makes"


def _words(name: str, actual: str | None, planned: OptionValue | Secret, *, ok: bool) -> str:
    if actual is None:
        return _NOT_SET.actual
    value = r_value.read(actual)
    if isinstance(planned, Secret):
        if value is None or value.type != "character" or len(value.values) != 1:
            return f"{r_value.kind_of(actual)}, and it was given text"
        words = "the value that it was given" if ok else "another value than it was given"
        return f"{words} (compared by hash)"
    kept = r_value.as_r_keeps(name, actual)
    shown = shown_code(name, kept)
    if value is None:
        return f"{r_value.kind_of(kept)}: {shown}"
    if is_untaken(kept):
        return f"{shown}, {'the planned' if ok else 'another'} value (compared by hash)"
    return shown
