"""`validate`, `schema` and `boxes`, as a user types them."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from sandbox.cli import boxes
from sandbox.errors import UsageError
from sandbox.spec.problem import InvalidBoxError
from sandbox.spec.schema import schema_text

GOOD = "version: 1\nbase: debian-12\ndescription: mine\n"
WRONG = "version: 1\nbase: debian-12\nmachine: {cpus: 0}\nx: 1\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*args: str) -> Result:
    app = typer.Typer()
    boxes.register(app)
    return CliRunner().invoke(app, list(args))


def test_valid_boxes_are_said_to_be_valid(folder: Path) -> None:
    (folder / "a.yml").write_text(GOOD)
    (folder / "b.yml").write_text(GOOD + "r: {}\n")
    result = run("validate")
    assert result.exit_code == 0
    assert result.stdout == ("a.yml: valid (debian-12, no R)\nb.yml: valid (debian-12, R 4.2.2)\n")


def test_all_problems_of_all_boxes_are_one_error(folder: Path) -> None:
    (folder / "a.yml").write_text(WRONG)
    (folder / "b.yml").write_text(WRONG)
    (folder / "c.yml").write_text(GOOD)
    result = run("validate")
    assert isinstance(result.exception, InvalidBoxError)
    assert result.exception.message == "2 boxes have 4 problems"
    places = [f"{problem.place} {problem.key}" for problem in result.exception.problems]
    assert places == ["a.yml:3 machine.cpus", "a.yml:4 x", "b.yml:3 machine.cpus", "b.yml:4 x"]
    assert result.stdout == "c.yml: valid (debian-12, no R)\n"


def test_json_has_every_problem_with_its_place(folder: Path) -> None:
    (folder / "a.yml").write_text(WRONG)
    result = run("validate", "a.yml", "--json")
    assert isinstance(result.exception, InvalidBoxError)
    (box,) = json.loads(result.stdout)
    assert box["valid"] is False
    assert [(problem["line"], problem["key"]) for problem in box["problems"]] == [
        (3, "machine.cpus"),
        (4, "x"),
    ]
    assert box["problems"][0] == {
        "path": str(folder / "a.yml"),
        "line": 3,
        "key": "machine.cpus",
        "message": "`0` is out of range: at least 1",
        "suggestion": "",
        "text": "machine: {cpus: 0}",
    }


def test_nothing_to_validate(folder: Path) -> None:
    result = run("validate")
    assert isinstance(result.exception, UsageError)


def test_an_unknown_box(folder: Path) -> None:
    result = run("validate", "nosuch")
    assert isinstance(result.exception, UsageError)
    assert result.exception.message == "no box `nosuch`: there is no such file"


def test_schema_is_printed_as_it_is_checked_in() -> None:
    assert run("schema").stdout == schema_text()


def test_boxes_are_listed_for_people_and_for_programs(folder: Path) -> None:
    (folder / "mine.yml").write_text(GOOD)
    (folder / "wrong.yml").write_text(WRONG)
    lines = run("boxes").stdout.splitlines()
    assert lines[0].split() == ["NAME", "BASE", "R", "DESCRIPTION", "FILE"]
    assert lines[1].split() == ["mine", "debian-12", "-", "mine", "mine.yml"]
    assert "(wrong: see `sandbox validate`)" in lines[2]
    listed = {box["name"]: box for box in json.loads(run("boxes", "--json").stdout)}
    assert listed["mine"] == {
        "name": "mine",
        "description": "mine",
        "base": "debian-12",
        "r": None,
        "where": "here",
        "path": str(folder / "mine.yml"),
        "valid": True,
    }
    assert listed["r-4.5"]["r"] == "4.5.0"
    assert listed["r-4.5"]["where"] == "shipped"


def test_a_root_can_be_named(folder: Path) -> None:
    (folder / "boxes").mkdir()
    (folder / "prod.facts.json").touch()
    (folder / "boxes" / "a.yml").write_text(GOOD + "production: ../prod.facts.json\n")
    assert isinstance(run("validate", "boxes/a.yml").exception, InvalidBoxError)
    assert run("validate", "boxes/a.yml", "--root", ".").exit_code == 0


def test_programs_get_no_text_of_a_file_that_is_no_box_either(folder: Path) -> None:
    (folder / "a.yml").write_text("hunter2: [\n")
    result = run("validate", "a.yml", "--json")
    assert "hunter2" not in result.stdout
    assert json.loads(result.stdout)[0]["problems"][0]["line"] == 2


def test_a_password_in_an_address_is_a_hint_and_no_problem(folder: Path) -> None:
    (folder / "a.yml").write_text(GOOD + "system: {proxy: 'http://me:pLaNt3d@proxy.example'}\n")
    result = run("validate")
    assert result.exit_code == 0
    assert result.stdout == "a.yml: valid (debian-12, no R)\n"
    assert "hint: a.yml:4: system.proxy: a password stands in this address" in result.stderr
    (box,) = json.loads(run("validate", "--json").stdout)
    assert box["valid"] is True
    assert [(one["line"], one["key"]) for one in box["hints"]] == [(4, "system.proxy")]
    assert "pLaNt3d" not in result.output + json.dumps(box)
