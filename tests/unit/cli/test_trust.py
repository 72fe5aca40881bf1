"""`sandbox trust`, and the question on a terminal."""

import io
import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from sandbox.cli import trust as module
from sandbox.errors import UsageError
from sandbox.trust import read_code


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "test_it.py"
    path.write_text("def test_it(): pass\n")
    return path


def run(*args: str) -> Result:
    app = typer.Typer()
    app.callback()(lambda: None)
    module.register(app)
    result = CliRunner().invoke(app, ["trust", *args])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_what_is_trusted_is_listed_and_taken_back(file: Path) -> None:
    assert run("--list").stdout == ""
    run("test_it.py")
    run(".")
    sha256 = read_code(file).sha256
    listed = f"{file.parent}/  everything in this folder\n{file}  sha256 {sha256}\n"
    assert run("--list").stdout == listed
    assert json.loads(run("--list", "--json").stdout) == {
        "files": {str(file): [sha256]},
        "folders": [str(file.parent)],
    }
    run("--remove", ".")
    run("--remove", "test_it.py")
    assert run("--list").stdout == ""


def test_what_cannot_be_done_is_said(file: Path) -> None:
    for words in ((), (".", "--list"), ("--list", "--remove", ".")):
        with pytest.raises(UsageError, match="say what to do"):
            run(*words)
    with pytest.raises(UsageError, match="was not agreed to"):
        run("--remove", str(file))
    with pytest.raises(UsageError, match="there is no such file"):
        run("nowhere.py")


class Terminal(io.StringIO):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("answer", "agrees"), [("y\n", True), ("n\n", False), ("\n", False), ("", False)]
)
def test_on_a_terminal_the_file_is_shown_and_asked_about(
    file: Path, monkeypatch: pytest.MonkeyPatch, answer: str, *, agrees: bool
) -> None:
    file.write_text('x = "\x1b[2J\x1b[1;1Hharmless"\r\n# \u202egnihtemos\n', encoding="utf-8")
    err = Terminal()
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    monkeypatch.setattr("sys.stderr", err)
    ask = module.consent(trust=False).ask
    assert ask is not None
    code = read_code(file)
    assert ask(code, "checks") is agrees
    said = err.getvalue()
    assert "[2J" in said
    assert not {"\x1b", "\r", "\u202e"} & set(said)
    assert str(file) in said
    assert code.sha256 in said


def test_without_a_terminal_there_is_nobody_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("sys.stderr", io.StringIO())
    assert module.consent(trust=False).ask is None
    assert module.consent(trust=True).is_given
