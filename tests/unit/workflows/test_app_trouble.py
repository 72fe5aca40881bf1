"""Who waits for a page stops when the machine knows why none will come, and says what mends it."""

import json
from typing import Any

import pytest

from sandbox.errors import CommandError, ProvisionError
from sandbox.guest import pages
from sandbox.guest.app_trouble import AskTheMachine
from sandbox.run import Completed
from sandbox.ssh import SshTarget
from tests.unit.factories import shiny_plan, shiny_sandbox

PAGES = tuple(pages.Page(one, "http://192.0.2.7:3838") for one in shiny_plan().endpoints)
NO_DT = "Error in library(DT) : there is no package called \u2018DT\u2019\nExecution halted\n"


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the page answers, one after the other; the last for ever."""
    said: list[str] = []
    clock = iter(range(0, 10_000))
    monkeypatch.setattr(
        pages, "page_status", lambda *_, **__: said.pop(0) if len(said) > 1 else said[0]
    )
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr("time.monotonic", lambda: float(next(clock)))
    return said


def machine_says(monkeypatch: pytest.MonkeyPatch, **answer: Any) -> list[str]:
    asked: list[str] = []

    def run(_: SshTarget, command: tuple[str, ...], **__: object) -> Completed:
        asked.append(command[-1])
        return Completed(command, 0, json.dumps(answer), "", 0.1)

    monkeypatch.setattr("sandbox.ssh.SshTarget.run", run)
    return asked


def log(text: str, age_s: float = 0) -> dict[str, Any]:
    one = {"path": "/var/log/a.log", "age_s": age_s, "end": 9, "text": text, "earlier": False}
    return {"apps": {"faithful": [one]}}


def wait() -> None:
    why = AskTheMachine(shiny_sandbox(), SshTarget("shiny"))
    pages.wait_for_pages(PAGES, name="shiny", timeout_s=60, why=why)


def test_an_app_that_has_ended_is_not_waited_for(
    answers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers.append("HTTP 500 Internal Server Error")
    asked = machine_says(monkeypatch, **log(NO_DT))
    with pytest.raises(ProvisionError, match="there is no package called") as caught:
        wait()
    assert len(asked) == 1
    assert "add DT to r.packages.names" in caught.value.hint
    assert "sandbox logs shiny faithful" in caught.value.hint
    assert "NAME" not in caught.value.hint


def test_an_app_that_comes_after_all_is_waited_for(
    answers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers += ["HTTP 500 x", "Connection refused", "HTTP 404 Not Found", ""]
    machine_says(monkeypatch, **log(NO_DT, age_s=3600))
    wait()


def test_who_has_the_port_ends_the_waiting(
    answers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers.append("HTTP 404 Not Found")
    machine_says(monkeypatch, listeners=["nginx"])
    with pytest.raises(ProvisionError, match="nginx listens on it"):
        wait()


def test_what_nobody_knows_takes_its_time_and_names_the_sandbox(
    answers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers.append("Connection refused")
    asked = machine_says(monkeypatch, listeners=[])
    with pytest.raises(ProvisionError, match="does not answer") as caught:
        wait()
    assert "sandbox logs shiny" in caught.value.hint
    assert 1 < len(asked) < 15


@pytest.mark.parametrize("said", ["", "[]", '{"apps": 1}'])
def test_a_machine_that_answers_nonsense_explains_nothing(
    answers: list[str], monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    answers.append("HTTP 500 x")
    monkeypatch.setattr(
        "sandbox.ssh.SshTarget.run", lambda _, command, **__: Completed(command, 0, said, "", 0)
    )
    with pytest.raises(ProvisionError, match="does not answer"):
        wait()


def test_a_machine_that_cannot_be_asked_explains_nothing(
    answers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise CommandError("no ssh", returncode=255)

    answers.append("HTTP 500 x")
    monkeypatch.setattr("sandbox.ssh.SshTarget.run", fails)
    with pytest.raises(ProvisionError, match="does not answer"):
        wait()
