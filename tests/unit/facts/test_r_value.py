"""Values of R as code: what is read back is what was written, its type included."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sandbox.facts.r_value import (
    RValue,
    Type,
    as_r_keeps,
    compare,
    kind_of,
    number,
    read,
    text,
    write,
)
from sandbox.probe.untaken import new_key, placeholder

KEY, OTHER = new_key(), new_key()

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
parts: dict[Type, st.SearchStrategy[str]] = {
    "logical": st.sampled_from(["TRUE", "FALSE"]),
    "integer": st.integers(-(2**31) + 1, 2**31 - 1).map(str),
    "double": st.floats(allow_nan=False).map(number),
    "character": texts,
}


@st.composite
def vectors(draw: st.DrawFn) -> RValue:
    type_ = draw(st.sampled_from(list(parts)))
    values = draw(st.lists(st.none() | parts[type_], max_size=5))
    names = st.lists(texts, min_size=len(values), max_size=len(values))
    named = draw(st.none() | names.filter(any).map(tuple))
    return RValue(type_, tuple(values), named)


values = st.recursive(
    vectors() | st.just(RValue("NULL")),
    lambda inner: st.lists(inner, max_size=4).map(lambda items: RValue("list", items=tuple(items))),
    max_leaves=6,
)


@given(values)
@example(RValue("character", ("\x1f}", "\U0001f600}"), ("\x1f}", "b")))
def test_what_was_written_is_read_back(value: RValue) -> None:
    code = write(value)
    assert code.isascii()
    assert "\n" not in code
    assert read(code) == value
    assert compare(code, code) == "equal"


@given(values, values)
def test_equal_is_what_is_the_same(one: RValue, other: RValue) -> None:
    assert (compare(write(one), write(other)) == "equal") is (one == other)


@given(st.text("c(list\"'`=,)-1L:.eNA \\u", max_size=30))
def test_anything_is_read_or_is_no_plain_value(code: str) -> None:
    value = read(code)
    assert value is None or read(write(value)) == value


@given(st.floats(allow_nan=False))
def test_numbers_have_the_digits_that_they_need(value: float) -> None:
    assert float(number(value)) == value
    assert len(number(value)) <= 24
    assert math.copysign(1, float(number(value))) == math.copysign(1, value)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ('"1e9"', "1000000000"),
        ("1L", "1"),
        ("TRUE", '"TRUE"'),
        ('"a, b"', 'c("a", "b")'),
        ("c(1, 2)", "c(a = 1, b = 2)"),
        ("c(1, 2)", "list(1, 2)"),
        ("NA", "NA_character_"),
        ('"NA"', "NA_character_"),
        ("NULL", '"NULL"'),
        ("Inf", '"Inf"'),
        ("function(x) x", '"function(x) x"'),
        ("quote(f())", "f()"),
        ("quote(f(1))", "quote(f(2))"),
        ("character(0)", '""'),
    ],
)
def test_another_type_is_another_value(a: str, b: str) -> None:
    assert compare(a, b) == compare(b, a) == "differs"


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("1:3", "c(1L, 2L, 3L)"),
        ("1e9", "1000000000"),
        ("'a'", '"a"'),
        ('c("a")', '"a"'),
        ("function (x) \nx + 1", "function(x) x + 1"),
        ("c(1L, 2.5)", "c(1, 2.5)"),
        ("-5L", "-5L"),
        ('"\\u00e4"', '"\xe4"'),
    ],
)
def test_the_same_in_other_words_is_equal(a: str, b: str) -> None:
    assert compare(a, b) == "equal"


def test_what_was_not_taken_is_compared_by_its_hash_and_type() -> None:
    hidden = placeholder("4711", KEY)
    assert compare(f'"{hidden}"', f'"{hidden}"') == "equal"
    assert compare(f'"{hidden}"', f"{hidden}") == "differs"
    assert compare(f"{hidden}L", f"{hidden}") == "differs"
    assert compare(f"-{hidden}L", f"-{hidden}L") == "equal"
    assert compare(f"-{hidden}L", f"{hidden}L") == "differs"
    assert compare(f'"{hidden}"', f'"{placeholder("4712", KEY)}"') == "differs"
    assert compare(f'"{hidden}"', f'"{hidden}"', same_key=False) == "unknown"
    assert compare(f'"{hidden}"', '"5822"') == "unknown"
    assert compare(f'c("a", "{hidden}")', f'c("b", "{hidden}")', same_key=False) == "differs"
    code = f'function(x) f("{hidden}")'
    assert compare(code, code.replace(" ", "\n")) == "equal"
    assert compare(code, code, same_key=False) == "unknown"


def test_values_that_were_taken_need_no_key() -> None:
    for code in ('","', "7L", "function(x) x", 'c("a", "b")'):
        assert compare(code, code, same_key=False) == "equal"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("7L", "a whole number (L)"),
        ("7", "a number"),
        ('"7"', "text"),
        ("NULL", "NULL"),
        ('c("a", "b")', "2 of text"),
        ("c(a = 1)", "1 of a number with names"),
        ("function(x) x", "a function"),
        ("quote(x)", "R code"),
    ],
)
def test_types_have_names_for_people(code: str, words: str) -> None:
    assert kind_of(code) == words


def test_r_itself_makes_whole_numbers_of_some_options() -> None:
    assert as_r_keeps("digits", "7L") == as_r_keeps("digits", "7") == "7"
    assert as_r_keeps("mc.cores", "7L") == "7L"
    assert as_r_keeps("digits", '"7"') == '"7"'
    assert text('a"\\\n') == '"a\\"\\\\\\u000a"'
