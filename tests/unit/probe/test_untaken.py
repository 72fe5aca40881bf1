import re

import pytest

from sandbox.probe.untaken import (
    HashKey,
    compare,
    holds,
    is_untaken,
    length_class,
    new_key,
    placeholder,
    token,
    token_of,
    without_hash,
)

_KEY = HashKey("00112233445566778899aabbccddeeff")


def test_the_hash_is_what_openssl_makes() -> None:
    """`openssl enc -aes-256-cbc -pbkdf2 -iter 20000 -md sha256 -S 73616e64626f7831 -P`."""
    assert token("hunter2", _KEY) == "168DB2B2D0388651"


def test_a_placeholder_tells_the_length_roughly() -> None:
    assert placeholder("hunter2") == "<not taken: 1-8 characters>"
    assert placeholder("hunter2", _KEY) == "<not taken: 1-8 characters, #168DB2B2D0388651>"
    assert length_class("x" * 5000) == "4097+"
    assert placeholder("") == "<not taken: 0-0 characters>"
    assert all(is_untaken(placeholder("x" * size)) for size in (0, 1, 9, 5000))


@pytest.mark.parametrize(
    ("a", "b", "verdict"),
    [
        ("a", "a", "equal"),
        ("a", "b", "differs"),
        (placeholder("a", _KEY), placeholder("a", _KEY), "equal"),
        (placeholder("a", _KEY), placeholder("b", _KEY), "differs"),
        (placeholder("a"), placeholder("a"), "unknown"),
        (placeholder("a"), placeholder("a", _KEY), "unknown"),
        (placeholder("a"), placeholder("twelve bytes"), "differs"),
        ("a", placeholder("a", _KEY), "unknown"),
        ("a", placeholder("twelve bytes", _KEY), "differs"),
        ("x = a", f"x = {placeholder('a', _KEY)}", "differs"),
        (f"x = {placeholder('a', _KEY)}", f"x = {placeholder('a', _KEY)}", "equal"),
        (f"x = {placeholder('a', _KEY)}", f"y = {placeholder('a', _KEY)}", "differs"),
        (
            f"{placeholder('a', _KEY)} {placeholder('b')}",
            f"{placeholder('a', _KEY)} {placeholder('b')}",
            "unknown",
        ),
    ],
)
def test_equal_or_not(a: str, b: str, verdict: str) -> None:
    assert compare(a, b) == verdict


def test_hashes_of_two_keys_say_nothing() -> None:
    other = HashKey("f" * 32)
    assert compare(placeholder("a", _KEY), placeholder("a", other), same_key=False) == "unknown"
    assert compare(placeholder("a", _KEY), placeholder("a", _KEY), same_key=False) == "unknown"
    long = placeholder("twelve bytes", other)
    assert compare(placeholder("a", _KEY), long, same_key=False) == "differs"
    assert without_hash(f"x {long}") == "x <not taken: 9-16 characters>"


def test_a_planned_value_is_found_again() -> None:
    assert holds(placeholder("geheim", _KEY), "geheim", _KEY) == "equal"
    assert holds(placeholder("geheim", _KEY), "anders", _KEY) == "differs"
    assert holds(placeholder("geheim"), "geheim", _KEY) == "unknown"
    assert holds("plain", "plain", _KEY) == "equal"


def test_a_key_does_not_show_itself() -> None:
    key = new_key()
    assert key.digits not in repr(key)
    assert key.digits not in key.id
    assert re.fullmatch("[0-9a-f]{32}", key.digits)
    assert new_key() != key


def test_only_a_whole_placeholder_has_one_hash() -> None:
    assert token_of(f"a {placeholder('a', _KEY)}") is None
    assert token_of("plain") is None
