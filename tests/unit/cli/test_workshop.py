"""`workshop plan`, as a trainer types it."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from sandbox.cli import workshop
from sandbox.errors import ExitCode, HostError
from sandbox.providers.members import Member
from sandbox.spec.load_workshop import LoadedWorkshop
from sandbox.spec.problem import InvalidBoxError
from sandbox.workflows.context import Context
from sandbox.workflows.workshop import plan as workshop_plan
from sandbox.workshop.arithmetic import Estimate, estimate

FILE = "version: 1\nbox: r\nseats: 12\nwork_mb: 1024\n"
ROOMY = Member("n1", cpus=4, memory_mb=32 * 1024, disk_mb=100_000, addresses=250)


@pytest.fixture
def servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Member]:
    """The servers that Incus names."""
    found = [ROOMY]

    def plan(loaded: LoadedWorkshop, context: Context) -> Estimate:
        del context
        return estimate(workshop_plan.wanted_of(loaded), found)

    monkeypatch.setattr(workshop_plan, "plan_workshop", plan)
    monkeypatch.chdir(tmp_path)
    Path("class.workshop.yml").write_text(FILE, encoding="utf-8")
    return found


def run(*args: str) -> Result:
    app = typer.Typer()
    workshop.register(app)
    return CliRunner().invoke(app, ["workshop", *args])


@pytest.mark.usefixtures("servers")
def test_it_says_what_it_takes() -> None:
    result = run("plan", "class.workshop.yml")
    assert result.exit_code == 0, result.output
    assert "class: 12 seats and 2 spare ones of r" in result.stdout
    assert "n1      14     1.4 GB / 14.0 GB of 32.0 GB" in result.stdout
    assert "1 access point for 12 people, 6 Mbit/s together" in result.stdout


def test_what_does_not_fit_is_refused_with_all_reasons(servers: list[Member]) -> None:
    servers[:] = [Member("n1", cpus=4, memory_mb=4096, disk_mb=100_000, addresses=10)]
    result = run("plan", "class.workshop.yml", "--json")
    assert isinstance(result.exception, HostError)
    assert result.exception.exit_code == ExitCode.HOST
    assert "3 seats fit, and 14 are wanted" in result.exception.details
    said = json.loads(result.stdout)
    assert said["fits"] is False
    assert len(said["refusals"]) == 3
    assert said["servers"][0]["seats"] == 14


@pytest.mark.usefixtures("servers")
def test_a_wrong_file_is_told_at_its_line() -> None:
    Path("class.workshop.yml").write_text(FILE + "seat: 1\n", encoding="utf-8")
    result = run("plan", "class.workshop.yml")
    assert isinstance(result.exception, InvalidBoxError)
    assert result.exception.exit_code == ExitCode.BOX
    assert "class.workshop.yml:5" in result.exception.details
