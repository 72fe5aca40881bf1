"""A machine's host keys, over `incus exec`, which under load can end well and hand over nothing."""

from typing import Any

import pytest

from sandbox.errors import ProviderError
from sandbox.providers.incus.engine import IncusEngine
from sandbox.providers.incus.place import IncusPlace
from sandbox.run import Completed

KEYS = "ssh-ed25519 AAAA root@box\n"


class Exec(IncusEngine):
    """Answers what it is told to, one status and output a call."""

    def __init__(self, answers: list[tuple[int, str]]) -> None:
        super().__init__(IncusPlace.from_prefix("sandbox"))
        self.answers = answers

    def exec_as_root(self, *_args: Any, **_options: Any) -> Completed:
        code, stdout = self.answers.pop(0)
        return Completed((), code, stdout, "cat: no such file" if code else "", 0.1)


def test_an_answer_that_got_lost_is_asked_for_again() -> None:
    engine = Exec([(0, ""), (0, ""), (0, KEYS)])
    assert engine._read_host_keys("box") == ("ssh-ed25519 AAAA",)


def test_a_machine_without_keys_is_told_as_such_at_once() -> None:
    engine = Exec([(1, ""), (0, KEYS)])
    with pytest.raises(ProviderError, match="no ssh host key") as failure:
        engine._read_host_keys("box")
    assert "no such file" in failure.value.details
    assert len(engine.answers) == 1


def test_it_does_not_ask_for_ever() -> None:
    with pytest.raises(ProviderError, match="no ssh host key"):
        Exec([(0, "")] * 3)._read_host_keys("box")
