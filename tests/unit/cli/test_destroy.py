"""Commands that take something away: each name gets its turn, and what is needed is asked about."""

import pytest
import typer

from sandbox.cli import lifecycle, snapshot
from sandbox.errors import BusyError, ExitCode, SandboxError, UsageError


def destroying(monkeypatch: pytest.MonkeyPatch, failures: dict[str, Exception]) -> list[str]:
    done: list[str] = []

    def destroy(name: str, **_: object) -> None:
        if name in failures:
            raise failures[name]
        done.append(name)

    monkeypatch.setattr("sandbox.workflows.power.destroy", destroy)
    return done


def test_one_that_is_busy_does_not_keep_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    busy = BusyError("another sandbox command is at work on a", hint="wait for it")
    failures: dict[str, Exception] = {
        "a": busy,
        "c": UsageError("there is no sandbox named `c`"),
        "d": PermissionError(13, "Permission denied", "/d"),
    }
    done = destroying(monkeypatch, failures)
    with pytest.raises(typer.Exit) as caught:
        lifecycle.destroy(["a", "b", "c", "d", "e", "b"], yes=True)
    assert done == ["b", "e"]
    # That of the first
    assert caught.value.exit_code == ExitCode.HOST
    said = capsys.readouterr().err
    for words in ("at work on a", "wait for it", "named `c`", "d: [Errno 13]"):
        assert words in said
    assert "not destroyed: a, c, d" in said


def test_the_only_one_fails_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    destroying(monkeypatch, {"a": BusyError("busy")})
    with pytest.raises(SandboxError, match="busy"):
        lifecycle.destroy(["a", "a"])


@pytest.fixture
def deleted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    done: list[str] = []
    monkeypatch.setattr(
        "sandbox.workflows.snapshot.delete", lambda _, snapshot, **__: done.append(snapshot)
    )
    return done


def test_what_reset_needs_is_not_deleted_unasked(deleted: list[str]) -> None:
    with pytest.raises(UsageError, match="reset shiny has nothing to go back to") as caught:
        snapshot.delete("shiny", "provisioned")
    assert "--yes" in caught.value.hint
    assert deleted == []


@pytest.mark.parametrize(("answer", "gone"), [(True, ["provisioned"]), (False, [])])
def test_on_a_terminal_it_is_asked(
    monkeypatch: pytest.MonkeyPatch, deleted: list[str], *, answer: bool, gone: list[str]
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr(snapshot, "agreed", lambda _: answer)
    if answer:
        snapshot.delete("shiny", "provisioned")
    else:
        with pytest.raises(typer.Abort):
            snapshot.delete("shiny", "provisioned")
    assert deleted == gone


def test_others_and_what_is_said_go_at_once(deleted: list[str]) -> None:
    snapshot.delete("shiny", "before-upgrade")
    snapshot.delete("shiny", "provisioned", yes=True)
    assert deleted == ["before-upgrade", "provisioned"]
