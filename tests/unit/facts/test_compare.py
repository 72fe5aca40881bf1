import pytest

from sandbox.facts.compare import Comparison, Value, remark, same, shown, verdict


@pytest.mark.parametrize(
    ("a", "b", "how", "equal"),
    [
        ("x", "x", "exact", True),
        ("x", "X", "exact", False),
        ("1.7-4", "1.7.4", "version", True),
        ("1.10", "1.10.0", "version", True),
        ("1.9", "1.10", "version", False),
        ("2.36-9+deb12u9", "2.36-9+deb12u13", "version", False),
        (frozenset("ab"), frozenset("ba"), "set", True),
        (frozenset("a"), frozenset("ab"), "set", False),
        (1000.0, 1049.0, "number", True),
        (1000.0, 1200.0, "number", False),
        (float("inf"), float("inf"), "number", True),
        (float("inf"), 1024.0, "number", False),
    ],
)
def test_same(a: Value, b: Value, how: Comparison, equal: bool) -> None:
    assert same(a, b, how, tolerance=0.05) is equal
    assert same(b, a, how, tolerance=0.05) is equal


def test_remarks() -> None:
    assert remark("1.5.2", "1.5.1", "version") == "older"
    assert remark("1.9", "1.10", "version") == "newer"
    assert remark(frozenset("ab"), frozenset("bc"), "set") == "missing: a; more: c"
    assert remark(2.0, 1.0, "number") == "less"
    assert remark("a", "b", "exact") == ""


def test_versions_with_words_do_not_break() -> None:
    assert remark("1.0-rc1", "1.0-1", "version") in {"older", "newer"}


def test_shown() -> None:
    assert shown(frozenset()) == "none"
    assert shown(16384.0) == "16384"
    assert shown(float("inf")) == "unlimited"
    assert shown("") == "(empty)"


def test_an_option_of_another_type_differs_and_says_so() -> None:
    assert verdict('"1e9"', "1000000000", "r") == "differs"
    assert remark('"1e9"', "1000000000", "r") == "a number instead of text"
    assert verdict("7L", "7L", "r", same_key=False) == "equal"
