"""A machine that has only just begun is asked once more; one that says what is wrong is not."""

from typing import Any

import pytest

from sandbox.errors import CommandError
from sandbox.providers.incus.engine import IncusEngine
from sandbox.providers.incus.place import IncusPlace
from sandbox.run import Completed

PLACE = IncusPlace.from_prefix("test")
DONE = Completed(("incus",), 0, "ready", "", 0.1)


def ended(code: int | None, said: str = "") -> CommandError:
    return CommandError("`incus` failed", returncode=code, stdout=said, stderr="")


def answers(monkeypatch: pytest.MonkeyPatch, *found: Completed | CommandError) -> list[Any]:
    left = list(found)

    def run(*_: object, **__: object) -> Completed:
        one = left.pop(0)
        if isinstance(one, CommandError):
            raise one
        return one

    monkeypatch.setattr("sandbox.providers.incus.commands.run", run)
    monkeypatch.setattr("sandbox.providers.incus.commands._UNHEARD_S", 0)
    return left


def ask() -> Completed:
    return IncusEngine(PLACE)._ask_ready("shiny", "ssh-ed25519 AAAA", lambda _: None)


def test_a_machine_that_ended_the_first_question_is_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left = answers(monkeypatch, ended(1), DONE)
    assert ask() is DONE
    assert left == []


@pytest.mark.parametrize("error", [ended(None), ended(1, "state: sshd is masked")])
def test_one_that_said_something_is_not(
    error: CommandError, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = answers(monkeypatch, error, DONE)
    with pytest.raises(CommandError):
        ask()
    assert left == [DONE]


def test_it_is_asked_twice_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    left = answers(monkeypatch, ended(1), ended(1), DONE)
    with pytest.raises(CommandError):
        ask()
    assert left == [DONE]
