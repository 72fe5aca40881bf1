"""An app's folder: which of its files count, and what they ask for."""

from pathlib import Path

import pytest

from sandbox.r_code.app import AppCode, read_app
from sandbox.r_code.uses import Need


def app(folder: Path, **files: str) -> AppCode:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_R", ".R").replace("_Rmd", ".Rmd")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return read_app(folder)


def needs(code: AppCode) -> dict[str, Need]:
    return {one.package: one.use.need for one in code.uses}


def test_files_that_shiny_runs_and_files_that_lie_about(tmp_path: Path) -> None:
    code = app(
        tmp_path,
        app_R="library(shiny); source('more/helpers.R')",
        R__module_R="library(DT)",
        more__helpers_R="library(dplyr); source('own.R')",
        more__own_R="library(own)",
        deploy_R="library(rsconnect)",
        tests__test_R="library(testthat)",
        renv__activate_R="library(renv)",
    )
    assert code.kind == "shiny"
    assert needs(code) == {
        "shiny": Need.AT_START,
        "DT": Need.AT_START,
        "dplyr": Need.AT_START,
        "own": Need.AT_START,
        "rsconnect": Need.MAY,
    }
    assert code.brings_its_own


@pytest.mark.parametrize("name", ["app_R", "server_R"])
def test_what_is_an_app(tmp_path: Path, name: str) -> None:
    assert app(tmp_path, **{name: "library(shiny)"}).kind == "shiny"


def test_a_folder_of_documents(tmp_path: Path) -> None:
    header = "---\nruntime: shiny\noutput: flexdashboard::flex_dashboard\n---\n"
    code = app(tmp_path, index_Rmd=f"{header}```{{r}}\nlibrary(DT)\n```\n")
    assert code.kind == "documents"
    assert set(needs(code)) == {"rmarkdown", "shiny", "flexdashboard", "DT"}


def test_no_app(tmp_path: Path) -> None:
    assert app(tmp_path, helpers_R="library(DT)") == AppCode(None)
    assert read_app(tmp_path / "nowhere") == AppCode(None)


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside.R").write_text("library(secret)")
    (tmp_path / "app" / "R").mkdir(parents=True)
    (tmp_path / "app" / "R" / "x.R").symlink_to(tmp_path / "outside.R")
    assert needs(app(tmp_path / "app", app_R="library(shiny)")) == {"shiny": Need.AT_START}


def test_any_encoding_and_line_end(tmp_path: Path) -> None:
    (tmp_path / "app.R").write_bytes(b"\xef\xbb\xbfx <- '\xfc'\r\nlibrary(DT)\r\n")
    (found,) = read_app(tmp_path).uses
    assert (found.package, found.use.line) == ("DT", 2)
