"""The table of checks: readable without colour, complete where something failed."""

from sandbox.checks.results import Outcome
from sandbox.cli.check_table import render_report
from tests.unit.checks.reports import HOSTILE, report, result

EXPECTED = """\
up: services run, answer, and come back  (1 of 1 ok)
  ✓ ok       up.system holds

safe: nobody gets in who should not  (0 of 1 ok)
  ✗ FAILED   safe.ports holds
             expected  wanted
             is        nc on 0.0.0.0 4444/tcp
             why       it matters
             fix       sandbox up shiny
             id        safe.ports

correct: the machine is what the box says, and gives right answers  (0 of 1 ok)
  ! ERROR    correct.os holds
             expected  wanted
             problem   ssh failed
             why       it matters
             fix       sandbox up shiny
             id        correct.os

snappy: fast enough, with room to work  (0 of 1 ok)
  - skipped  snappy.disk holds
             because   left out (--quick)

1 passed, 1 failed, 1 in error, 1 skipped in 3.2 s  (shiny, box shiny)"""


def test_the_whole_table_without_colour() -> None:
    assert render_report(report(), colour=False) == EXPECTED


def test_colour_adds_nothing_but_colour() -> None:
    import re

    coloured = render_report(report(), colour=True)
    assert "\x1b[31m" in coloured
    assert re.sub(r"\x1b\[[0-9]+m", "", coloured) == EXPECTED


def test_a_pipe_gets_no_colour() -> None:
    assert "\x1b" not in render_report(report())


def test_what_a_machine_says_cannot_steer_the_terminal() -> None:
    hostile = result("up.system", Outcome.FAILED, actual=HOSTILE, title=HOSTILE)
    text = render_report(report(hostile), colour=False)
    assert "\x1b" not in text
    assert "\x00" not in text


def test_long_words_are_folded_but_a_command_stays_on_one_line() -> None:
    long = result("up.system", Outcome.FAILED, actual="a word " * 40)
    long = long.model_copy(update={"fix": "sandbox exec shiny -- " + "x " * 80})
    lines = render_report(report(long), colour=False).splitlines()
    assert sum("a word" in line for line in lines) > 1
    (fix,) = (line for line in lines if "sandbox exec" in line)
    assert fix.count("x ") >= 79
    assert max(len(line) for line in lines if line != fix) <= 100


def test_slow_checks_show_their_seconds() -> None:
    slow = result("up.system", Outcome.PASSED).model_copy(update={"elapsed_s": 2.34})
    assert "up.system holds  2.3 s" in render_report(report(slow), colour=False)
