"""A command that waits for somebody who has gone is ended early, for real."""

import time

import pytest

from sandbox import giving_up
from sandbox.errors import CommandError
from sandbox.giving_up import given_up_when
from sandbox.run import run

SOON_S = 10.0


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(giving_up, "AFTER_S", 0.4)
    monkeypatch.setattr(giving_up, "_EVERY_S", 0.1)


def test_a_command_is_given_up_when_nobody_is_there_also_one_that_ignores_signals() -> None:
    began = time.monotonic()
    with pytest.raises(CommandError, match="given up") as caught, given_up_when(lambda: True):
        run(("sh", "-c", "trap '' INT TERM; sleep 60"), timeout_s=60)
    assert caught.value.returncode is None
    assert time.monotonic() - began < SOON_S


def test_a_moment_without_a_sign_of_life_ends_nothing() -> None:
    signs = iter([True, False] * 100)
    with given_up_when(lambda: next(signs)):
        assert run(
            ("sh", "-c", "for _ in 1 2 3 4 5 6; do sleep 0.3; echo; done; echo done"), timeout_s=30
        ).stdout.endswith("done\n")


def test_nobody_is_asked_outside_the_block_and_inside_two_both_count() -> None:
    with given_up_when(lambda: True):
        pass
    assert run(("sleep", "0.8"), timeout_s=30).returncode == 0
    with given_up_when(lambda: True), given_up_when(lambda: False), pytest.raises(CommandError):
        run(("sleep", "60"), timeout_s=60)
