"""What the roles write for PAM, shells and R means the same when it is read back."""

import ast
import importlib.util
import shlex
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

ROLES = Path(__file__).resolve().parents[2] / "playbooks" / "roles"

one_line = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=60)
tricky = st.text("ab '\"\\${}#@=-:\t~`", max_size=14)


def load(role: str, name: str) -> ModuleType:
    path = ROLES / role / "filter_plugins" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


R_FILES = load("r", "r_files")
SESSION = load("system", "session_files")


def read_renviron(line: str, environment: dict[str, str]) -> tuple[str, str]:
    """A line as R reads it (?Startup, and what it does beyond): expansion first, then quotes."""
    name, _, rest = line.strip().partition("=")
    rest = rest.strip()
    done = ""
    while (start := rest.find("$")) >= 0 and rest[start + 1 : start + 2] == "{":
        end = rest.index("}", start)
        variable, _, default = rest[start + 2 : end].partition("-")
        done += rest[:start] + (environment.get(variable) or default)
        rest = rest[end + 1 :]
    text, value, quote, at = done + rest, "", "", 0
    while at < len(text):
        character, following = text[at], text[at + 1 : at + 2]
        before = text[at - 1] if at else ""
        if not quote and character in "'\"":
            quote = character
        elif quote and character == quote and before != "\\":
            quote = ""
        elif not quote and character == "\\":
            value += "\\" if following == "\\" else ""
        elif not (quote and character == "\\" and following == quote):
            value += character
        at += 1
    return name, value


@given(one_line | tricky)
def test_renviron_values_are_exact(value: str) -> None:
    line = R_FILES.renviron({"NAME": value})
    assert "\n" not in line
    assert read_renviron(line, {"a": "expanded", "ab": "expanded"}) == ("NAME", value)


def test_a_plain_renviron_value_gives_way_to_the_sessions_own() -> None:
    line = R_FILES.renviron({"OMP_NUM_THREADS": "1"})
    assert read_renviron(line, {"OMP_NUM_THREADS": "4"}) == ("OMP_NUM_THREADS", "4")


@given(one_line | tricky)
def test_r_strings_are_exact_and_ascii(text: str) -> None:
    literal = R_FILES.r_literal(text)
    assert literal.isascii()
    assert "\n" not in literal
    # R's escapes used here are Python's too
    assert ast.literal_eval(literal) == text


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        (True, "TRUE"),
        (False, "FALSE"),
        (7, "7L"),
        (-7, "-7L"),
        (7.0, "7.0"),
        (2**31 - 1, "2147483647L"),
        (2**31, "2147483648.0"),
        ("1e9", '"1e9"'),
        (["contr.sum", "contr.poly"], 'c("contr.sum", "contr.poly")'),
        ([1, 2], "c(1L, 2L)"),
        (1e16, "1e+16"),
        (float("inf"), "Inf"),
        (float("-inf"), "-Inf"),
        (float("nan"), "NaN"),
    ],
)
def test_r_literals_of_other_values(value: object, literal: str) -> None:
    assert R_FILES.r_literal(value) == literal


@given(one_line | tricky)
def test_profile_lines_are_exact(value: str) -> None:
    line = SESSION.shell_environment({"NAME": value})
    assert shlex.split(line) == ["export", f"NAME={value}"]


@given(one_line | tricky)
def test_pam_is_given_only_what_it_reads_as_it_stands(value: str) -> None:
    line = SESSION.pam_environment({"NAME": value})
    if line.startswith("#"):
        assert "see /etc/profile.d" in line
        assert value not in line or value in "# NAME: pam_env cannot read its value; see /etc"
    else:
        assert line == f"NAME={value}"
        assert not set("#'\"\\$`") & set(value)
        assert value == value.strip()


def test_long_values_are_not_given_to_pam() -> None:
    assert SESSION.pam_environment({"A": "x" * 2000}).startswith("#")


def test_limits_name_root_too_and_leave_out_what_is_not_asked_for() -> None:
    assert SESSION.pam_limits({"nofile": 4096, "nproc": None}).splitlines() == [
        "* soft nofile 4096",
        "* hard nofile 4096",
        "root soft nofile 4096",
        "root hard nofile 4096",
    ]
    assert SESSION.pam_limits({"nofile": None, "nproc": None}) == ""
