"""`validate`, `schema` and `boxes`, as a user types them."""

import json
import os
from collections.abc import Iterator
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


LOCKED = "version: 1\nbase: debian-12\nr: {packages: {source: renv, lock: renv.lock}}\n"


@pytest.mark.parametrize(
    ("lock", "expected"),
    [
        (
            '{"R": {"Version": "4.4.1"}, "Packages": {}}',
            "it was locked with R 4.4.1, and this R is 4.2.2",
        ),
        ('{"R": {"Version": "4.2.1"},\n <<<<<<< ours', "it is not JSON"),
        ('{"R": {"Version": "4.2.1"},\n "Packages": {\n"aa": {"Package": "aa"}}}', "renv.lock:3"),
    ],
)
def test_a_lock_file_that_cannot_be_restored_is_a_problem(
    folder: Path, lock: str, expected: str
) -> None:
    (folder / "a.yml").write_text(LOCKED)
    (folder / "renv.lock").write_text(lock)
    result = run("validate", "a.yml")
    assert isinstance(result.exception, InvalidBoxError)
    assert expected in "\n".join(map(str, result.exception.problems))
    assert result.exception.hint.startswith("mend renv.lock")
    good = '{"R": {"Version": "4.2.1"}, "Packages": {}}'
    (folder / "renv.lock").write_text(good)
    assert run("validate", "a.yml").exit_code == 0


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


def break_as(kind: str, path: Path) -> None:
    match kind:
        case "empty":
            path.write_text("", encoding="utf-8")
        case "blank":
            path.write_text("\n# only a comment\n", encoding="utf-8")
        case "not UTF-8":
            path.write_bytes(b"version: 1\nbase: debian-12\ndescription: \xfcber\n")
        case "not YAML":
            path.write_text("version: 1\n  base: [\n", encoding="utf-8")
        case "a folder":
            path.mkdir()
        case "a link to nowhere":
            path.symlink_to("nowhere.yml")
        case "a link to elsewhere":
            path.symlink_to("/etc/hostname")
        case "a typing error":
            path.write_text("version: 1\nbass: debian-12\nmachine: {cpus: 1}\n", encoding="utf-8")
        case _:
            os.mkfifo(path)


@pytest.mark.parametrize(
    "kind",
    [
        *("empty", "blank", "not UTF-8", "not YAML", "a folder"),
        *("a link to nowhere", "a link to elsewhere", "a typing error", "a fifo"),
    ],
)
@pytest.mark.parametrize("below", ["", "boxes"])
@pytest.mark.parametrize("words", [(), (".",)])
def test_what_cannot_be_read_fails_beside_a_good_one(
    folder: Path, kind: str, below: str, words: tuple[str, ...]
) -> None:
    (folder / "boxes").mkdir()
    (folder / "good.yml").write_text(GOOD)
    break_as(kind, folder / below / "bad.yml")
    result = run("validate", *words)
    assert isinstance(result.exception, InvalidBoxError), kind
    assert "bad.yml" in result.exception.details
    assert result.stdout == "good.yml: valid (debian-12, no R)\n"


def test_other_yaml_is_passed_over_and_named(folder: Path) -> None:
    (folder / "good.yml").write_text(GOOD)
    (folder / "mkdocs.yml").write_text("site_name: mine\n")
    result = run("validate")
    assert result.exit_code == 0
    assert result.stderr == "no boxes, passed over: mkdocs.yml\n"


def test_a_folder_can_be_named(folder: Path) -> None:
    (folder / "mine").mkdir()
    (folder / "mine" / "a.yml").write_text(GOOD)
    assert run("validate", "mine").stdout == "mine/a.yml: valid (debian-12, no R)\n"
    # A box of that name wins, also a shipped one
    (folder / "shiny").mkdir()
    assert "shiny.yml: valid (debian-12, R 4.2.2)" in run("validate", "shiny").stdout
    (folder / "none").mkdir()
    result = run("validate", "none")
    assert isinstance(result.exception, UsageError)
    assert result.exception.message == "there is no box file in none"


def test_a_folder_that_may_not_be_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.iterdir

    def refuse(path: Path) -> Iterator[Path]:
        if path.name == "boxes":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    (folder / "boxes").mkdir()
    (folder / "good.yml").write_text(GOOD)
    monkeypatch.setattr(Path, "iterdir", refuse)
    result = run("validate")
    assert isinstance(result.exception, UsageError)
    assert result.exception.message == "the folder boxes cannot be looked at: Permission denied"


APP = """library(shiny)
library(DT)
ui <- fluidPage()
server <- function(input, output) dplyr::n()
shinyApp(ui, server)
"""
SALES = """version: 1
extends: shiny
r:
  packages: {names: [shiny]}
apps: [{name: sales, path: app}]
"""


def test_packages_of_an_app_that_the_box_does_not_name(folder: Path) -> None:
    (folder / "app").mkdir()
    (folder / "app" / "app.R").write_text(APP)
    (folder / "sales.yml").write_text(SALES)
    result = run("validate")
    assert isinstance(result.exception, InvalidBoxError)
    assert result.exception.details.splitlines() == [
        "app/app.R:2: app sales: `library(DT)`: the box does not name the R package `DT`. "
        "Make it `names: [shiny, DT, dplyr]` in sales.yml:4",
        "app/app.R:4: app sales: `dplyr::n`: the box does not name the R package `dplyr`. "
        "Make it `names: [shiny, DT, dplyr]` in sales.yml:4",
    ]
    # What it says to do is enough
    (folder / "sales.yml").write_text(SALES.replace("[shiny]", "[shiny, DT, dplyr]"))
    assert run("validate").exit_code == 0


def test_a_package_that_an_app_may_do_without_is_a_hint(folder: Path) -> None:
    (folder / "app").mkdir()
    (folder / "app" / "app.R").write_text('if (requireNamespace("DT")) DT::datatable(cars)\n')
    (folder / "sales.yml").write_text(SALES)
    result = run("validate")
    assert result.exit_code == 0
    assert result.stderr.startswith('hint: app/app.R:1: app sales: `requireNamespace("DT")`')


def test_the_line_to_add_where_the_box_has_none(folder: Path) -> None:
    (folder / "app").mkdir()
    (folder / "app" / "app.R").write_text(APP)
    (folder / "sales.yml").write_text(SALES.replace("r:\n  packages: {names: [shiny]}\n", ""))
    result = run("validate")
    assert isinstance(result.exception, InvalidBoxError)
    line = "r: {packages: {names: [shiny, rmarkdown, plumber, DT, dplyr]}}"
    assert f"Add to sales.yml: `{line}`" in result.exception.details
    (folder / "sales.yml").write_text(
        SALES.replace("r:\n  packages: {names: [shiny]}\n", f"{line}\n")
    )
    assert run("validate").exit_code == 0
