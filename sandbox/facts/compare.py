"""When two values are the same: exactly, as versions, as sets, or as numbers within a tolerance."""

from abc import ABC, abstractmethod
from math import isinf
from typing import Literal

from sandbox.facts import r_value
from sandbox.facts.versions import Scheme, compare_versions
from sandbox.probe import untaken
from sandbox.probe.untaken import Verdict

Comparison = Literal["exact", "version", "set", "number", "r"]
"""How a fact is compared."""

Value = str | float | frozenset[str]
"""What a fact of a machine is."""


class JudgesByItself(ABC):
    """A value that a box states, and that itself knows which of a machine's values is the same."""

    @abstractmethod
    def judge(self, actual: Value | None) -> Verdict:
        """Tell whether a machine's value is the stated one; None where the machine has none."""


def same(
    a: Value, b: Value, how: Comparison, *, tolerance: float = 0.0, scheme: Scheme = "plain"
) -> bool:
    """Tell whether two values are equal.

    Args:
        a: a value.
        b: another of the same kind.
        how: `version`: by the rules of `scheme`; `r`: R code, types included.
        tolerance: of numbers, as a share of the larger one.
        scheme: of versions, the program that wrote them down.
    """
    match how:
        case "number" if isinstance(a, int | float) and isinstance(b, int | float):
            if isinf(a) or isinf(b):
                return a == b
            return abs(a - b) <= tolerance * max(abs(a), abs(b))
        case "version" if isinstance(a, str) and isinstance(b, str):
            return compare_versions(a, b, scheme) == 0
        case "r" if isinstance(a, str) and isinstance(b, str):
            return r_value.compare(a, b) == "equal"
        case _:
            return a == b


def verdict(
    a: Value | None,
    b: Value | None,
    how: Comparison,
    *,
    tolerance: float = 0.0,
    scheme: Scheme = "plain",
    same_key: bool = True,
) -> Verdict:
    """Tell whether two values are equal, where the one or the other may not have been taken.

    Args:
        a: a value; None where that side has none.
        b: another of the same kind.
        how: as for `same`.
        tolerance: as for `same`.
        scheme: as for `same`.
        same_key: the hashes in both were made with the same key.
    """
    if isinstance(a, JudgesByItself):
        return a.judge(b)
    if isinstance(b, JudgesByItself):
        return b.judge(a)
    if a is None or b is None:
        return "equal" if a is b else "differs"
    return _verdict(a, b, how, tolerance=tolerance, scheme=scheme, same_key=same_key)


def _verdict(
    a: Value, b: Value, how: Comparison, *, tolerance: float, scheme: Scheme, same_key: bool
) -> Verdict:
    if how == "r" and isinstance(a, str) and isinstance(b, str):
        return r_value.compare(a, b, same_key=same_key)
    if isinstance(a, str) and isinstance(b, str) and (is_untaken(a) or is_untaken(b)):
        return untaken.compare(a, b, same_key=same_key)
    if isinstance(a, frozenset) and isinstance(b, frozenset) and (is_untaken(a) or is_untaken(b)):
        return _verdict_of_sets(a, b, same_key=same_key)
    return "equal" if same(a, b, how, tolerance=tolerance, scheme=scheme) else "differs"


def is_untaken(value: Value | None) -> bool:
    """Tell whether a value, or a part of it, was not taken from its machine."""
    if isinstance(value, frozenset):
        return any(untaken.is_untaken(one) for one in value)
    return isinstance(value, str) and untaken.is_untaken(value)


def _verdict_of_sets(a: frozenset[str], b: frozenset[str], *, same_key: bool) -> Verdict:
    if same_key and a == b and all(untaken.compare(one, one) != "unknown" for one in a):
        return "equal"
    if {untaken.without_hash(one) for one in a} != {untaken.without_hash(one) for one in b}:
        return "differs"
    hidden = [one for one in a | b if untaken.is_untaken(one)]
    certain = same_key and all(untaken.compare(one, one) == "equal" for one in hidden)
    return "differs" if certain else "unknown"


def remark(a: Value, b: Value, how: Comparison, scheme: Scheme = "plain") -> str:
    """Describe a difference in a few words, from b's side; may be empty."""
    if isinstance(a, frozenset) and isinstance(b, frozenset):
        only_a, only_b = ([untaken.without_hash(one) for one in sorted(x)] for x in (a - b, b - a))
        words = [f"missing: {', '.join(only_a)}"] if only_a else []
        return "; ".join(words + ([f"more: {', '.join(only_b)}"] if only_b else []))
    if how == "version" and isinstance(a, str) and isinstance(b, str):
        found = compare_versions(b, a, scheme)
        return "" if not found else "older" if found < 0 else "newer"
    if how == "r" and isinstance(a, str) and isinstance(b, str):
        kinds = (r_value.kind_of(a), r_value.kind_of(b))
        return f"{kinds[1]} instead of {kinds[0]}" if kinds[0] != kinds[1] else ""
    if isinstance(a, int | float) and isinstance(b, int | float):
        return "less" if b < a else "more"
    return ""


def shown(value: Value) -> str:
    """Write a value for a person."""
    if isinstance(value, frozenset):
        return untaken.without_hash(", ".join(sorted(value))) or "none"
    if value == float("inf"):
        return "unlimited"
    if isinstance(value, float):
        return f"{value:g}" if value < 1e6 else f"{value:.0f}"  # noqa: PLR2004  (no exponents)
    return untaken.without_hash(str(value)) if value else "(empty)"
