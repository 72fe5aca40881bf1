"""What a listing says of the last checks."""

import json

import pytest

from sandbox.checks.results import last_report
from sandbox.state import Instance
from sandbox.workflows import look
from tests.unit.factories import shiny_plan
from tests.unit.workflows.conftest import Bench


def checks_of(bench: Bench) -> str:
    (info,) = look.all_sandboxes(bench.context)
    return info.checks


def test_the_last_checks_are_told_in_a_few_words(bench: Bench) -> None:
    bench.up(shiny_plan())
    assert checks_of(bench) == "0 passed in 1.0 s"
    report = last_report(Instance("shiny").folder)
    assert report is not None
    assert report.summary == checks_of(bench)
    (Instance("shiny").folder / "checks.json").unlink()
    assert checks_of(bench) == ""


def test_checks_saved_before_reports_had_a_summary_are_told_too(bench: Bench) -> None:
    bench.up(shiny_plan())
    path = Instance("shiny").folder / "checks.json"
    saved = json.loads(path.read_text())
    del saved["summary"]
    path.write_text(json.dumps(saved))
    assert checks_of(bench) == "0 passed in 1.0 s"


@pytest.mark.parametrize("text", ["", "{}", "[]"])
def test_what_is_no_report_is_no_reason_to_stop(bench: Bench, text: str) -> None:
    bench.up(shiny_plan())
    (Instance("shiny").folder / "checks.json").write_text(text)
    assert checks_of(bench) == ""
