"""How a command line comes by the values of secrets."""

import sys
from typing import Any

import pytest
import typer

from sandbox.cli import secrets
from sandbox.errors import UsageError
from sandbox.secret_values import needed_secrets
from tests.unit.factories import secret_plan

NEEDED = needed_secrets(secret_plan())


class Terminal:
    """Stands for stdin and stderr."""

    def __init__(self, *, there: bool) -> None:
        self._there = there
        self.text = ""

    def isatty(self) -> bool:
        return self._there

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        """Nothing to do."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """What was asked on a terminal; answered with what fits nowhere, and then with an address."""
    questions: list[tuple[str, dict[str, Any]]] = []

    def prompt(text: str, **options: object) -> str:
        questions.append((text, options))
        return "nonsense" if len(questions) == 1 else "http://me:pLaNt3d@x.example"

    monkeypatch.setattr(typer, "prompt", prompt)
    return questions


def on_terminals(monkeypatch: pytest.MonkeyPatch, *, stdin: bool, stderr: bool) -> Terminal:
    monkeypatch.setattr(sys, "stdin", Terminal(there=stdin))
    screen = Terminal(there=stderr)
    monkeypatch.setattr(sys, "stderr", screen)
    return screen


def test_on_a_terminal_they_are_asked_for_without_echo(
    monkeypatch: pytest.MonkeyPatch, asked: list[tuple[str, dict[str, Any]]]
) -> None:
    screen = on_terminals(monkeypatch, stdin=True, stderr=True)
    monkeypatch.setenv("SALES_DB", "of the environment")
    values = dict(secrets.given_secrets(None).all_of(NEEDED))
    assert values["SALES_DB"] == "of the environment"
    assert [text for text, _ in asked] == [
        "CRAN_URL (for r.repos.CRAN)",
        "CRAN_URL (for r.repos.CRAN)",
        "PROXY (for system.proxy)",
    ]
    # stdout is for data
    assert all(options == {"hide_input": True, "err": True} for _, options in asked)
    assert "this value does not fit: it is not a URL" in screen.text
    assert "nonsense" not in screen.text
    assert "pLaNt3d" not in screen.text


@pytest.mark.parametrize(("stdin", "stderr"), [(False, True), (True, False)])
def test_without_one_nobody_is_asked(
    monkeypatch: pytest.MonkeyPatch,
    asked: list[tuple[str, dict[str, Any]]],
    stdin: bool,
    stderr: bool,
) -> None:
    on_terminals(monkeypatch, stdin=stdin, stderr=stderr)
    with pytest.raises(UsageError, match="CRAN_URL, PROXY, SALES_DB"):
        secrets.given_secrets(None).all_of(NEEDED)
    assert asked == []


def test_ctrl_c_at_the_question_is_an_interrupt_like_any_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def abort(*_: object, **__: object) -> str:
        raise typer.Abort

    on_terminals(monkeypatch, stdin=True, stderr=True)
    monkeypatch.setattr(typer, "prompt", abort)
    with pytest.raises(KeyboardInterrupt):
        secrets.given_secrets(None).all_of(NEEDED)
