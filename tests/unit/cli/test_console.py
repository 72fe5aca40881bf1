"""What the user sees: steps, notices and errors, with nothing that steers a terminal."""

import pytest

from sandbox.cli.console import Progress, plain, show_error
from sandbox.errors import BoxError, ProviderError
from sandbox.events import Notice, StepOutput, step


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
