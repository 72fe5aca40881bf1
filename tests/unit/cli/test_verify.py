"""`sandbox check`: exit status, formats, and wrong options."""

import json
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import typer
from typer.testing import CliRunner

from sandbox.checks.results import CheckReport, Goal, Outcome
from sandbox.cli import verify
from sandbox.errors import UsageError
from sandbox.workflows import check as workflow
from tests.unit.checks.reports import report, result


class Workflow:
    """Stands for the real one: keeps what it was asked, answers with `report`."""

    def __init__(self) -> None:
        self.report = report(result("up.system", Outcome.PASSED))
        self.asked: list[tuple[str, tuple[Goal, ...], bool]] = []

    def check(
        self,
        name: str,
        *,
        context: object,
        goals: Sequence[Goal] = (),
        quick: bool = False,
        against: object = None,
    ) -> CheckReport:
        self.asked.append((name, tuple(goals), quick))
        self.against = against
        return self.report


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Workflow:
    its = Workflow()
    monkeypatch.setattr(workflow, "check", its.check)
    return its


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.callback()(lambda: None)
    verify.register(app)
    return app


def test_all_green_is_status_0_and_a_table(fake: Workflow, app: typer.Typer) -> None:
    done = CliRunner().invoke(app, ["check", "shiny"])
    assert done.exit_code == 0
    assert "✓ ok       up.system holds" in done.stdout
    assert fake.asked == [("shiny", (), False)]


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.ERROR])
def test_one_problem_is_status_1(fake: Workflow, app: typer.Typer, outcome: Outcome) -> None:
    fake.report = report(result("up.system", outcome))
    assert CliRunner().invoke(app, ["check", "shiny"]).exit_code == 1


def test_json_is_the_report_and_nothing_else(fake: Workflow, app: typer.Typer) -> None:
    fake.report = report()
    done = CliRunner().invoke(app, ["check", "shiny", "--json"])
    assert done.exit_code == 1
    assert CheckReport.from_json(done.stdout) == report()
    assert json.loads(done.stdout)["sandbox"] == "shiny"


def test_junit_is_written_beside_the_table(
    fake: Workflow, app: typer.Typer, tmp_path: Path
) -> None:
    target = tmp_path / "checks.xml"
    done = CliRunner().invoke(app, ["check", "shiny", "--junit", str(target)])
    assert done.exit_code == 0
    assert "1 passed" in done.stdout
    assert ET.parse(target).getroot().get("tests") == "1"


def test_goals_are_handed_on_once_each_in_their_order(fake: Workflow, app: typer.Typer) -> None:
    words = ["--goal", "safe", "--goal", "up", "--goal", "safe", "--quick"]
    CliRunner().invoke(app, ["check", "shiny", *words])
    assert fake.asked == [("shiny", (Goal.UP, Goal.SAFE), True)]


def test_an_unknown_goal_stops_before_anything_is_done(fake: Workflow, app: typer.Typer) -> None:
    done = CliRunner().invoke(app, ["check", "shiny", "--goal", "fast"])
    assert isinstance(done.exception, UsageError)
    assert done.exception.message == "there is no goal `fast`"
    assert "snappy" in done.exception.hint
    assert not fake.asked


def test_a_junit_file_in_no_folder_stops_before_anything_is_done(
    fake: Workflow, app: typer.Typer, tmp_path: Path
) -> None:
    target = tmp_path / "absent" / "checks.xml"
    done = CliRunner().invoke(app, ["check", "shiny", "--junit", str(target)])
    assert isinstance(done.exception, UsageError)
    assert not fake.asked


def test_a_junit_file_that_cannot_be_written_is_told(
    fake: Workflow, app: typer.Typer, tmp_path: Path
) -> None:
    done = CliRunner().invoke(app, ["check", "shiny", "--junit", str(tmp_path)])
    assert isinstance(done.exception, UsageError)
    assert "cannot write" in done.exception.message
