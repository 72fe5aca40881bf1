"""What the user sees: steps, notices and errors, with nothing that steers a terminal."""

import ast
import io
import json
import sys
from contextlib import suppress
from pathlib import Path

import pytest

import sandbox
from sandbox.checks.results import CheckReport
from sandbox.cli.console import (
    Painted,
    Progress,
    line,
    lines,
    paint,
    plain,
    say,
    show,
    show_error,
    show_json,
    show_json_text,
)
from sandbox.errors import BoxError, ProviderError
from sandbox.events import Notice, StepOutput, StepStarted, step
from sandbox.interrupts import Interrupted
from tests.shown_steps import ShownStep, shown_steps


def test_steps_are_plain_lines_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Progress() as progress, step(progress, "shiny", "create") as note:
        progress(StepOutput("shiny", "a tool's chatter"))
        note.text = "image x"
    said = capsys.readouterr()
    assert said.out == ""
    assert "... create" in said.err
    assert "create  0.0 s  image x" in said.err
    assert "chatter" not in said.err
    assert "\x1b" not in said.err


def test_a_failed_step_is_marked(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ProviderError), Progress() as progress, step(progress, "shiny", "create"):
        raise ProviderError("Incus refused")
    assert "✗ create" in capsys.readouterr().err


def test_quiet_still_shows_what_matters(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(quiet=True) as progress, step(progress, "shiny", "create"):
        progress(Notice("shiny", "its machine is gone"))
    said = capsys.readouterr().err
    assert "its machine is gone" in said
    assert "create" not in said


def test_an_error_shows_evidence_and_the_way_out(capsys: pytest.CaptureFixture[str]) -> None:
    show_error(BoxError("boxes/x.yml is wrong", details="boxes/x.yml:3: no", hint="edit it"))
    assert capsys.readouterr().err == (
        "error: boxes/x.yml is wrong\n  boxes/x.yml:3: no\n\nhint: edit it\n"
    )


def test_control_characters_never_reach_the_terminal() -> None:
    assert "\x1b" not in plain("\x1b]0;title\x07 text \x9b31m")
    assert plain("Zürich €\n\tok") == "Zürich €\n\tok"


# A title, a clipboard, a cleared screen, colours of 8 bits, a device's string, overprinting,
# another direction, isolates, nothing to be seen, half a character
HOSTILE = (
    "\x1b]0;owned\x07", "\x1b]52;c;b3duZWQ=\x1b\\", "\x1b[2J\x1b[H", "\x9b31m", "\x1bP1$r\x1b\\",
    "\x90q\x9c", "good\rbad", "bad\b\b\b", "\x7f", "\x00", "\x0e", "\u202egnp", "\u2066x\u2069",
    "\u200bx", "\u200f", "\ufeff", "\u2028", "\ud800", "\U000e0041", "\x1b",
)  # fmt: skip
OBEYED = set("".join(HOSTILE)) - set("ownedc;b3duZWQ=\\[2JH31m]0;52Pq1$rgoodbadgnpx")


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_a_terminal_obeys_is_left(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    show(text)
    say(text)
    show_error(ProviderError(text, details=text, hint=text), log=text)
    show(lines([text, line("  ", text), paint(text, "31", on=False)]))
    with Progress() as progress:
        progress(Notice(text, text))
        with step(progress, text, text) as note:
            progress(StepOutput("x", text))
            note.text = text
        progress(StepStarted("x", text))
        live = progress.current()
    said = capsys.readouterr()
    assert not OBEYED & set(said.out + said.err + live)
    assert "�" in said.out
    assert "�" in said.err


def test_only_colour_of_ours_passes() -> None:
    painted = line("a\x1b[31m", paint("b\x1b[2J", "31", on=True))
    assert painted == "a�[31m\x1b[31mb�[2J\x1b[0m"
    assert isinstance(painted, Painted)
    assert plain(painted) == painted
    # What is put together in any other way is text like any other
    assert "\x1b" not in plain(f"{painted}")


def test_text_of_all_languages_is_left_as_it_is() -> None:
    for text in ("Zürich €\n\tok", "日本語", "Приве́т", "a\u00a0b\u202fc", "🎉"):
        assert plain(text) == text
    assert plain("one\r\ntwo\r\n") == "one\ntwo\n"


@pytest.mark.parametrize("text", HOSTILE[:-3])
def test_json_is_ascii_and_says_the_same(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    show_json({"said": [text]})
    said = capsys.readouterr().out
    assert json.loads(said) == {"said": [text]}
    assert said.isascii()
    if text == "\ud800":
        return
    show_json_text(CheckReport.model_validate(_report(text)).to_json())
    said = capsys.readouterr().out
    assert json.loads(said)["sandbox"] == text
    assert not set(said) & {*"\x1b\x07\x7f\x9b\u202e\u200b"}
    assert said.isascii()


def _report(text: str) -> dict[str, object]:
    return {"sandbox": text, "box": "b", "plan_key": "k", "elapsed_s": 1, "results": []}


def test_a_terminal_of_another_encoding_gets_what_it_can_show(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    show("✓ Zürich")
    assert raw.getvalue() == b"? Z?rich\n"


_PRINTERS = {"typer", "click", "rich"}
_PRINTS = {"echo", "secho", "confirm", "prompt", "pprint", "style", "echo_via_pager", "Console"}
_STREAMS = {"stdout", "stderr", "__stdout__", "__stderr__"}
# Asked whether it is a terminal, and closed; never written to
_ASKED = {"isatty", "fileno"}


def _printing(tree: ast.AST) -> list[str]:
    """What in a module prints by another road than the console."""
    found: list[ast.AST] = []
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="print")):
                found.append(node)
            case ast.Attribute(value=ast.Name(id=module), attr=what):
                found += [node] if module in _PRINTERS and what in _PRINTS else []
            case ast.ImportFrom(module=str(module), names=names):
                root = module.partition(".")[0]
                printed = root == "rich" or any(one.name in _PRINTS for one in names)
                found += [node] if root in _PRINTERS and printed else []
            case ast.Attribute(value=ast.Attribute(value=ast.Name(id="sys"), attr=stream)):
                found += [node] if stream in _STREAMS and node.attr not in _ASKED else []
            case _:
                pass
    return [f"{getattr(node, 'lineno', 0)}: {ast.unparse(node)[:60]}" for node in found]


def test_only_the_console_prints() -> None:
    package = Path(sandbox.__file__).parent
    found = {
        str(path.relative_to(package)): _printing(ast.parse(path.read_text(encoding="utf-8")))
        for path in sorted(package.rglob("*.py"))
    }
    assert found.pop("cli/console.py")
    assert {path: where for path, where in found.items() if where} == {}


@pytest.mark.parametrize(
    "text",
    [
        "print(1)",
        "typer.echo(1)",
        "typer.confirm('x')",
        "from typer import echo",
        "from rich.console import Console",
        "sys.stdout.write('x')",
        "sys.stderr.buffer.write(b'x')",
        "write = sys.stdout.write",
    ],
)
def test_what_would_print_is_found(text: str) -> None:
    assert _printing(ast.parse(text))


def test_a_long_step_tells_now_and_then_that_it_gets_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing is live, as in a log of CI: a line each half a minute, not each."""
    now = [1000.0]
    monkeypatch.setattr("sandbox.cli.console.time.monotonic", lambda: now[0])
    progress = Progress()
    progress(StepStarted("shiny", "provision"))
    for seconds in range(0, 100, 2):
        now[0] = 1000.0 + seconds
        progress(StepOutput("shiny", f"setting up zip ({seconds} of 100 packages)"))
    told = [row.strip() for row in capsys.readouterr().err.splitlines()]
    assert told == [
        "... provision",
        "provision  30 s  setting up zip (30 of 100 packages)",
        "provision  60 s  setting up zip (60 of 100 packages)",
        "provision  90 s  setting up zip (90 of 100 packages)",
    ]
    quiet = Progress(quiet=True)
    quiet(StepStarted("shiny", "provision"))
    now[0] += 100
    quiet(StepOutput("shiny", "anything"))
    assert capsys.readouterr().err == ""


def test_the_tests_read_the_steps_that_are_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("sandbox.cli.console.time.monotonic", lambda: now[0])
    with Progress() as progress:
        with step(progress, "r", "start"):
            now[0] += 31
            progress(StepOutput("r", "==> r: Running provisioner: login (shell)..."))
        with step(progress, "r", "probe") as note:
            note.text = "R 4.2.2  here"
        with suppress(ValueError), step(progress, "r", "checks"):
            raise ValueError
        with suppress(Interrupted), step(progress, "r", "build the base image"):
            raise Interrupted(2)
        progress(Notice("r", "... bake"))
        progress(StepStarted("r", "clone"))
    said = capsys.readouterr().err
    assert "provision" in said
    assert shown_steps(said) == {
        "start": ShownStep("done"),
        "probe": ShownStep("done", "R 4.2.2  here"),
        "checks": ShownStep("failed"),
        "build the base image": ShownStep("interrupted"),
        "clone": ShownStep(),
    }


def test_a_step_that_somebody_ended_has_not_failed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Interrupted), Progress() as progress, step(progress, "shiny", "provision"):
        raise Interrupted(2)
    said = capsys.readouterr().err
    assert said.rstrip().endswith("interrupted")
    assert "failed" not in said
