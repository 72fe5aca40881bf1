"""`sandbox init`: from an app that is there to a box that is valid."""

import json
import re
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from sandbox.cli import boxes, init
from sandbox.errors import UsageError
from sandbox.spec.load import load_box
from sandbox.workflows.new_box import box_name
from tests.conftest import ROOT

APP = "library(shiny)\nlibrary(DT)\ndplyr::n()\nshinyApp(1, 2)\n"


def run(*args: str) -> Result:
    app = typer.Typer()
    boxes.register(app)
    init.register(app)
    return CliRunner().invoke(app, list(args))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder, and a folder in it to work in."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


def make_app(folder: Path, code: str = APP, name: str = "app.R") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(code)
    return folder


def test_a_box_of_one_app_is_valid_and_says_what_is_next(home: Path) -> None:
    make_app(home / "work/apps/sales")
    done = run("init", "apps/sales")
    assert done.exit_code == 0, done.output
    assert done.stdout == "sales.yml\n"
    assert done.stderr.splitlines() == [
        "apps: sales",
        "R packages: dplyr, DT, shiny",
        "next: sandbox validate sales.yml",
        "      sandbox up sales.yml",
    ]
    loaded = load_box(home / "work/sales.yml")
    assert loaded.box.r is not None
    assert loaded.box.r.packages.names == ("dplyr", "DT", "shiny")
    assert [(app.name, app.path) for app in loaded.box.apps] == [("sales", "apps/sales")]
    assert run("validate").exit_code == 0


def test_from_within_the_app_itself(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(make_app(home / "sales"))
    assert run("init").stdout == "sales.yml\n"
    assert run("validate").exit_code == 0


def test_a_box_may_not_lie_in_a_home_and_read_folders(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_app(home / "sales")
    monkeypatch.chdir(home)
    assert run("init", "sales").stdout == "sales/sales.yml\n"
    assert run("validate", "sales/sales.yml").exit_code == 0


def test_several_apps_below_a_folder(home: Path) -> None:
    make_app(home / "work/apps/a")
    make_app(home / "work/apps/Über uns", "library(shiny)")
    make_app(home / "work/more/deep/a", "library(shiny)", "server.R")
    document = "---\nruntime: shiny\n---\n```{r}\nlibrary(zoo)\n```\n"
    make_app(home / "work/apps/report", document, "index.Rmd")
    make_app(home / "work/apps/words", "# no app\n", "README.Rmd")
    make_app(home / "work/renv/library/shiny", "library(shiny)")
    done = run("init", "--json")
    assert json.loads(done.stdout) == {
        "box": str(home / "work/work.yml"),
        "apps": ["a", "report", "Uber-uns", "a-2"],
        "packages": ["dplyr", "DT", "rmarkdown", "shiny", "zoo"],
        "not_there": [],
    }
    assert run("validate").exit_code == 0


def test_a_file_that_is_there_is_left_alone(home: Path) -> None:
    make_app(home / "work/sales")
    (home / "work/sales.yml").write_text("mine")
    done = run("init", "sales")
    assert isinstance(done.exception, UsageError)
    assert (home / "work/sales.yml").read_text() == "mine"
    assert run("init", "sales", "-o", "other.yml").stdout == "other.yml\n"
    assert run("init", "sales", "--force").exit_code == 0
    assert (home / "work/sales.yml").read_text() != "mine"
    assert sorted(path.name for path in (home / "work").iterdir()) == [
        "other.yml",
        "sales",
        "sales.yml",
    ]


def test_a_link_to_nowhere_is_there_too(home: Path) -> None:
    make_app(home / "work/sales")
    (home / "work/sales.yml").symlink_to(home / "elsewhere")
    assert isinstance(run("init", "sales").exception, UsageError)
    assert not (home / "elsewhere").exists()


def test_a_lock_file_chooses_the_base_and_is_told_in_comments(home: Path) -> None:
    folder = make_app(home / "work/sales")
    packages = {"DT": {"Version": "0.31"}, "x\n- {evil: 1}": {"Version": "1"}, "zoo": "?"}
    packages["shiny"] = {"Version": "1.8.0\nevil: 1"}
    lock = {"R": {"Version": "4.5.2"}, "Packages": packages}
    (folder / "renv.lock").write_text(json.dumps(lock))
    done = run("init", "sales")
    assert "renv.lock: its versions cannot be pinned yet" in done.stderr
    text = (home / "work/sales.yml").read_text()
    assert load_box(home / "work/sales.yml").base.name == "debian-13"
    assert "# renv.lock names R 4.5.2 (this box has R 4.5.0) and 3 packages." in text
    assert "# DT 0.31, shiny, zoo" in text
    assert "evil" not in text


@pytest.mark.parametrize("text", ["", "[]", "{", '{"R": 1, "Packages": []}', "null"])
def test_a_broken_lock_file_is_no_reason_to_fail(home: Path, text: str) -> None:
    (make_app(home / "work/sales") / "renv.lock").write_text(text)
    assert run("init", "sales").exit_code == 0
    assert run("validate", "sales.yml").exit_code == 0


def test_what_the_base_does_not_have_is_said(home: Path) -> None:
    make_app(home / "work/sales", "library(shiny)\nlibrary(polished)\n")
    done = run("init", "sales")
    assert "the base does not have: polished" in done.stderr
    assert "cannot ask for them: polished" in (home / "work/sales.yml").read_text()


@pytest.mark.parametrize("where", [".", "nowhere", "/", "~"])
def test_where_there_is_no_app(home: Path, where: str) -> None:
    done = run("init", where.replace("~", str(home)))
    assert isinstance(done.exception, UsageError)
    assert done.exception.hint
    assert list((home / "work").iterdir()) == []


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("sales", "sales"),
        ("My App (2)", "my-app-2"),
        ("Ärzte", "arzte"),
        ("2024", "app-2024"),
        ("日本", "app"),
        ("shiny", "shiny-app"),
        ("r-4.0", "r-4-0"),
        ("x" * 60, "x" * 40),
    ],
)
def test_names(folder: str, name: str) -> None:
    assert box_name(folder) == name


@pytest.mark.parametrize("folder", ["My App (2)", "it's", "a: b #c", "日本", "-x"])
def test_folders_of_any_name(home: Path, folder: str) -> None:
    make_app(home / "work" / folder)
    assert run("init", "--", folder).exit_code == 0
    assert run("validate").exit_code == 0


def test_the_examples_of_the_readme_are_valid_as_they_stand(home: Path) -> None:
    text = (ROOT / "README.md").read_text()
    examples = re.findall(r"```yaml\n# (\w+\.yml)\n(.*?)```", text, re.DOTALL)
    assert [name for name, _ in examples] == ["staging.yml", "analysis.yml"]
    for name, content in examples:
        (home / "work" / name).write_text(content)
        done = run("validate", name)
        assert done.exit_code == 0, done.exception
