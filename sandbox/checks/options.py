"""Whether an option of R is what the box says, its type included."""

from collections.abc import Callable, Iterator

from sandbox.checks.check import CannotLook, Look
from sandbox.checks.hashes import Hashes
from sandbox.checks.live import Seen
from sandbox.facts import r_value
from sandbox.facts.r_value import RValue
from sandbox.facts.r_view import RView
from sandbox.facts.shown import planned_code, shown_code
from sandbox.probe.untaken import Verdict, is_untaken
from sandbox.spec.models import OptionValue, Secret

_NOT_SET = Look(ok=False, actual="not set")


def option_look(name: str, planned: OptionValue | Secret) -> Callable[[RView, Seen], Look]:
    """Looks at one option as R has it."""
    code = "" if isinstance(planned, Secret) else r_value.as_r_keeps(name, planned_code(planned))
    wanted = r_value.read(code) if code else None

    def look(view: RView, seen: Seen) -> Look:
        actual = view.options.get(name)
        if actual is None:
            # R knows no option that is NULL
            return Look(ok=True, actual="not set") if code == "NULL" else _NOT_SET
        if isinstance(planned, Secret):
            return _judged_secret(actual, planned, seen.hashes)
        if wanted is None:
            return Look(ok=True, actual=f"set: {r_value.kind_of(actual)}")
        return _judged(name, r_value.as_r_keeps(name, actual), wanted, seen.hashes)

    return look


def expected_option(name: str, planned: OptionValue | Secret, shown: str) -> str:
    """What the check of an option expects, in words."""
    if isinstance(planned, Secret) or r_value.read(planned_code(planned)) is not None:
        return "not set" if shown == "NULL" else shown
    # What a function or a call is worth, R alone can tell
    return f"set to what the box's R code for {name} makes"


def _judged_secret(actual: str, planned: Secret, hashes: Hashes) -> Look:
    value = r_value.read(actual)
    if value is None or value.type != "character" or len(value.values) != 1:
        return Look(ok=False, actual=f"{r_value.kind_of(actual)}, and it was given text")
    verdict = hashes.judge(value.values[0] or "", planned)
    if verdict == "unknown":
        raise CannotLook(hashes.why_unknown(planned))
    ok = verdict == "equal"
    words = "the value that it was given" if ok else "another value than it was given"
    return Look(ok, f"{words} (compared by hash)")


def _judged(name: str, actual: str, wanted: RValue, hashes: Hashes) -> Look:
    found = r_value.read(actual)
    shown = shown_code(name, actual)
    if found is None:
        return Look(ok=False, actual=f"{r_value.kind_of(actual)}: {shown}")
    verdicts = set(_verdicts(found, wanted, hashes))
    if "differs" not in verdicts and "unknown" in verdicts:
        raise CannotLook(hashes.why_unknown(""))
    ok = "differs" not in verdicts
    if is_untaken(actual):
        return Look(ok, f"{shown}, {'the planned' if ok else 'another'} value (compared by hash)")
    return Look(ok, shown)


def _verdicts(found: RValue, wanted: RValue, hashes: Hashes) -> Iterator[Verdict]:
    if _shape(found) != _shape(wanted):
        yield "differs"
    else:
        for part, planned in zip(found.values, wanted.values, strict=True):
            yield _verdict(part, planned, hashes)
        for item, planned_item in zip(found.items, wanted.items, strict=True):
            yield from _verdicts(item, planned_item, hashes)


def _shape(value: RValue) -> tuple[object, ...]:
    return value.type, value.names, len(value.values), len(value.items)


def _verdict(part: str | None, planned: str | None, hashes: Hashes) -> Verdict:
    if part is None or planned is None:
        return "equal" if part is planned else "differs"
    return hashes.judge(part, planned)
