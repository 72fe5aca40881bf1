"""Rows for a terminal: what is below each other stands so, and nothing is cut off."""

import pytest

from sandbox.cli.rows import WIDTH, cell, columns, field

DIM_FACT = "\x1b[2mfact    \x1b[0m"


def test_each_column_is_as_wide_as_its_longest_cell() -> None:
    rows = [("shiny", "running", "http://192.0.2.7"), ("a-long-name", "", "")]
    assert columns(rows, heads=("NAME", "STATE", "URL")).splitlines() == [
        "NAME         STATE    URL",
        "shiny        running  http://192.0.2.7",
        "a-long-name",
    ]


def test_rows_without_heads_or_without_rows() -> None:
    assert columns([("a", "1"), ("bb", "2")]) == "a   1\nbb  2"
    assert columns([], heads=("NAME", "BOX")) == "NAME  BOX"
    assert columns([]) == ""


def test_the_first_column_can_be_wider_than_its_cells() -> None:
    assert columns([("box", "x"), ("", "y")], first_width=8) == "box       x\n          y"
    assert columns([("nine long", "x")], first_width=8) == "nine long  x"


def test_rows_of_different_lengths_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="shorter"):
        columns([("a", "b"), ("c",)])


def test_what_a_cell_holds_does_not_steer_the_terminal() -> None:
    assert "\x1b" not in columns([("\x1b[31mred", "x")])
    assert "\x1b" not in field("a", "\x1b[31mred", width=4, indent="", on=False)[0]


def test_a_cell_is_as_wide_in_colour_as_without() -> None:
    assert cell("ok", 4, "32", on=False) == "ok  "
    assert cell("ok", 4, "32", on=True) == "\x1b[32mok  \x1b[0m"


def test_long_text_is_folded_beside_its_label() -> None:
    text = " ".join(["word"] * 30)
    told = field("fact", text, width=8, indent="    ", on=True)
    assert len(told) == 2
    assert told[0].startswith(f"    {DIM_FACT}  word")
    assert told[1].startswith(f"    {' ' * 8}  word")
    plainly = field("fact", text, width=8, indent="    ", on=False)
    assert max(map(len, plainly)) <= WIDTH
    assert " ".join(" ".join(plainly).split()) == f"fact {text}"


def test_a_path_is_broken_where_it_must_be_and_a_command_never() -> None:
    path = "/a-long-name" * 20
    told = field("", path, width=8, indent="", on=False)
    assert len(told) == 3
    assert "".join(one.strip() for one in told) == path
    command = "sandbox up " * 20
    told = field("fix", command, width=8, indent="", fold=False, on=False)
    assert told == [f"fix       {command}"]


def test_each_line_of_a_text_is_one_and_an_empty_one_too() -> None:
    told = field("is", "one\n\ntwo", width=4, indent="  ", gap=" ", on=False)
    assert told == ["  is   one", "       ", "       two"]
    assert field("is", "", width=4, indent="  ", on=False) == []


def test_a_label_that_is_too_long_has_a_line_of_its_own() -> None:
    told = field("r.packages.names", "DT", width=4, indent="  ", on=False)
    assert told == ["  r.packages.names", "        DT"]
