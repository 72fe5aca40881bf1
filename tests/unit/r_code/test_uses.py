"""Which packages R code asks for, by our own reader."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.r_code.tokens import tokens_of
from sandbox.r_code.uses import (
    Need,
    finds_packages_elsewhere,
    sourced_in,
    uses_in,
)


def needs(code: str) -> dict[str, Need]:
    return {use.package: use.need for use in uses_in(tokens_of(code))}


START, USED, MAY = Need.AT_START, Need.USED, Need.MAY


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("library(shiny)", {"shiny": START}),
        ("library('shiny')", {"shiny": START}),
        ('library("shiny")', {"shiny": START}),
        ("library(`shiny`)", {"shiny": START}),
        ('library(r"(shiny)")', {"shiny": START}),
        ("base::library(shiny)", {"base": START, "shiny": START}),
        ("library(package = shiny)", {"shiny": START}),
        ("library(quietly = TRUE, shiny)", {"shiny": START}),
        ("library(\n  shiny # a comment, with (\n)", {"shiny": START}),
        ("library(data.table); library(R6)", {"data.table": START, "R6": START}),
        ("require(DT)", {"DT": START}),
        ("suppressPackageStartupMessages(library(DT))", {"DT": START}),
        ("suppressWarnings({\n  library(DT)\n})", {"DT": START}),
        ("loadNamespace('DT')", {"DT": START}),
        ("DT::datatable(x)", {"DT": START}),
        ("DT:::hidden", {"DT": START}),
        ("'DT'::datatable", {"DT": START}),
        # What stands in a function runs when that is called
        ("server <- function(input, output) { library(sf) }", {"sf": USED}),
        ("f <- function(x) dplyr::n()", {"dplyr": USED}),
        ("f <- \\(x) dplyr::n()", {"dplyr": USED}),
        ("output$x <- renderPlot(ggplot2::qplot(1))", {"ggplot2": USED}),
        ("f <- function(x) x + 1\nlibrary(DT)", {"DT": START}),
        ("f <- function(x) {\n  x\n}\nlibrary(DT)", {"DT": START}),
        # Who asks can do without
        ("if (interactive()) library(devtools)", {"devtools": MAY}),
        ("if (!require(DT)) stop('no')", {"DT": MAY}),
        ("require(DT) || stop('no')", {"DT": MAY}),
        ("ok <- requireNamespace('DT', quietly = TRUE)", {"DT": MAY}),
        ("if (requireNamespace('DT')) DT::datatable(x)", {"DT": MAY}),
        ("try(library(DT))", {"DT": MAY}),
        ("tryCatch({ library(DT) }, error = function(e) NULL)", {"DT": MAY}),
        (
            "if (a) {\n library(x1)\n} else {\n library(y1)\n}\nlibrary(z1)",
            {"x1": MAY, "y1": MAY, "z1": START},
        ),
        ("if (a) b else c\nlibrary(DT)", {"DT": START}),
        ("if (a) b\nlibrary(DT)", {"DT": START}),
        # Several at once
        ("lapply(c('x1', 'y1'), library, character.only = TRUE)", {"x1": START, "y1": START}),
        ("pacman::p_load(x1, 'y1', install = FALSE)", {"pacman": START, "x1": START, "y1": START}),
        (
            "box::use(x1, y1[...], z = z1, ./mod, a/b)",
            {"box": START, "x1": START, "y1": START, "z1": START},
        ),
        ("import::from(dplyr, filter)", {"import": START, "dplyr": START}),
        # Not asked for
        ("# library(DT)", {}),
        ("'library(DT)'", {}),
        ('r"---(library(DT))---"', {}),
        ("x <- 'a\\'b library(DT)'", {}),
        ("pkg <- 'DT'; library(pkg, character.only = TRUE)", {}),
        ("library('DT', character.only = TRUE)", {"DT": START}),
        ("library(pkg, character.only = FALSE)", {"pkg": START}),
        ("library(help = DT)", {}),
        ("library(DT, lib.loc = 'mine')", {}),
        ("library()", {}),
        ("library(paste0('D', 'T'))", {}),
        ("x$library(DT)", {}),
        ("my_library(DT)", {}),
        ("library <- 1; f(DT)", {}),
    ],
)
def test_what_is_asked_for(code: str, expected: dict[str, Need]) -> None:
    assert needs(code) == expected


def test_lines_are_those_of_the_file() -> None:
    code = 'x <- "a\nb"\n\n# no\nlibrary(DT)\n'
    (use,) = uses_in(tokens_of(code))
    assert (use.line, use.how) == (5, "library(DT)")


def test_files_that_are_read_by_name() -> None:
    code = "source(\"R/a.R\"); source(file = 'b.R', local = TRUE); source(c)"
    assert sourced_in(tokens_of(code)) == ["R/a.R", "b.R"]


@pytest.mark.parametrize(
    "code", [".libPaths('lib')", "install.packages('x')", "renv::load()", "pak::pak('x')"]
)
def test_who_brings_packages_along(code: str) -> None:
    assert finds_packages_elsewhere(tokens_of(code))
    assert not finds_packages_elsewhere(tokens_of("library(shiny)"))


@given(st.text(alphabet=st.sampled_from("ab(){}[]'\"`\\#\n rR-,=:<%0.~"), max_size=60) | st.text())
def test_no_text_is_too_odd(text: str) -> None:
    lines = text.count("\n") + 1
    assert all(1 <= use.line <= lines for use in uses_in(tokens_of(text)))


def test_hostile_code_takes_no_time() -> None:
    started = time.monotonic()
    for part in ("(", "{", '"', "`", 'r"(', "a::", "if (", "function(", "library("):
        assert len(uses_in(tokens_of(part * 3000))) <= 3000
    assert time.monotonic() - started < 20, "it was a minute when it grew with the square"
