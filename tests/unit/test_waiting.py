"""A machine that says nothing: what it waits for is told, and waiting in vain has an end."""

import time
from collections.abc import Callable

import pytest

from sandbox import waiting
from sandbox.errors import CommandError, ProvisionError
from sandbox.events import Event, Notice, StepOutput
from sandbox.waiting import RUN, Watch

MIRROR = "mirror: http://ada:word@m.example/debian"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "_ASKED_AFTER_S", 0.02)
    monkeypatch.setattr(waiting, "_PROGRESS_AFTER_S", 0.02)
    monkeypatch.setattr(waiting, "_POLL_S", 0.005)
    monkeypatch.setattr(waiting, "SAID_AFTER_S", 0.1)
    monkeypatch.setattr(waiting, "GIVEN_UP_AFTER_S", 0.3)


def until(ready: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.005)


class Machine:
    """Answers the same each time, until its apt is ended."""

    def __init__(self, answer: str) -> None:
        self.answer = answer
        self.asked: list[str] = []
        self.ended = False

    def __call__(self, script: str) -> str:
        self.asked.append(script)
        if "kill" in script:
            self.ended = True
        return self.answer


def fail_when_ended(watch: Watch, machine: Machine, error: Exception) -> None:
    with watch.watching():
        until(lambda: machine.ended)
        raise error


def test_what_it_waits_for_is_told_once_after_ten_seconds_and_has_an_end() -> None:
    machine, heard = Machine(MIRROR), list[Event]()
    started = time.monotonic()
    told_after: list[float] = []

    def listener(event: Event) -> None:
        heard.append(event)
        told_after.append(time.monotonic() - started)

    watch = Watch("box", listener, machine)
    with pytest.raises(ProvisionError, match="does not answer") as caught:
        fail_when_ended(watch, machine, CommandError("apt-get failed", returncode=72))
    [notice] = heard
    assert isinstance(notice, Notice)
    assert "http://m.example/debian" in notice.text
    assert "word" not in notice.text + caught.value.message
    assert told_after[0] >= 0.1
    assert "system.mirror" in caught.value.hint
    assert f"set -- {RUN}" in machine.asked[0]


@pytest.mark.parametrize(
    ("answer", "told", "hint"),
    [
        ("lock: process 7 (apt-get), at work since 10:02", "process 7 (apt-get)", "wait until"),
        ("names: m.example (asking 192.0.2.1)", "asking 192.0.2.1", "sandbox stop box"),
    ],
)
def test_each_reason_has_words_and_a_remedy(answer: str, told: str, hint: str) -> None:
    machine, heard = Machine(answer), list[Event]()
    watch = Watch("box", heard.append, machine)
    with pytest.raises(ProvisionError) as caught:
        fail_when_ended(watch, machine, ProvisionError("a task failed"))
    assert told in caught.value.message
    assert hint in caught.value.hint
    assert len(heard) == 1


def test_who_is_heard_is_not_asked() -> None:
    machine = Machine(MIRROR)
    watch = Watch("box", lambda _: None, machine)
    with watch.watching():
        for _ in range(40):
            watch.heard()
            time.sleep(0.005)
    assert machine.asked == []


@pytest.mark.parametrize("answer", ["", "bash: no such thing", "what: ever"])
def test_a_machine_that_is_merely_at_work_is_left_alone(answer: str) -> None:
    machine, heard = Machine(answer), list[Event]()
    with Watch("box", heard.append, machine).watching():
        until(lambda: len(machine.asked) > 20)
    assert heard == []
    assert not machine.ended


def test_a_machine_that_cannot_be_asked_is_left_alone() -> None:
    asked: list[str] = []

    def ask(script: str) -> str:
        asked.append(script)
        raise CommandError("no way in", returncode=255)

    with Watch("box", lambda _: None, ask).watching():
        until(lambda: len(asked) > 3)


def test_a_failure_of_its_own_is_not_given_another_reason() -> None:
    watch = Watch("box", lambda _: None, Machine(""))
    with pytest.raises(ProvisionError, match="a task failed"), watch.watching():
        raise ProvisionError("a task failed")


def test_an_apt_that_gets_on_is_told_of_and_not_asked_what_it_waits_for() -> None:
    steps = iter(range(1000))
    asked: list[str] = []

    def ask(script: str) -> str:
        asked.append(script)
        return f"at: setting up zip ({next(steps)} of 1000 packages, 1 %)"

    heard = list[Event]()
    with Watch("box", heard.append, ask).watching():
        until(lambda: len(asked) > 10)
    told = [event for event in heard if isinstance(event, StepOutput)]
    assert [one.line for one in told[:2]] == [
        "setting up zip (0 of 1000 packages, 1 %)",
        "setting up zip (1 of 1000 packages, 1 %)",
    ]
    assert [script for script in asked if "getent" in script] == []


def test_an_apt_that_stands_still_is_asked_what_it_waits_for() -> None:
    asked: list[str] = []

    def ask(script: str) -> str:
        asked.append(script)
        return MIRROR if "getent" in script else "at: fetching zip (1 of 2 packages, 50 %)"

    heard = list[Event]()
    watch = Watch("box", heard.append, ask)
    with watch.watching():
        until(lambda: any(isinstance(event, Notice) for event in heard))
    assert len([event for event in heard if isinstance(event, StepOutput)]) == 1
