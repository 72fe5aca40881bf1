"""Waiting: how often is asked, what is told in the end, and who ends it early."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox import deadline
from sandbox.deadline import Deadline, keep_trying, wait_until, wait_while
from sandbox.errors import ProviderError
from sandbox.interrupts import Interrupted


class Clock:
    """A clock that only pauses move."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(time, "monotonic", lambda: made.now)
    monkeypatch.setattr(time, "sleep", made.sleep)
    return made


def failing(*answers: str) -> "Doing":
    return Doing(iter(answers))


class Doing:
    """Fails with each of these, and then works."""

    def __init__(self, failures: Iterator[str]) -> None:
        self.failures = failures
        self.times = 0

    def __call__(self) -> str:
        self.times += 1
        for one in self.failures:
            raise ProviderError("it failed", details=one)
        return "done"


def is_busy(error: ProviderError) -> bool:
    return "busy" in error.details


def test_a_deadline_says_what_is_left(clock: Clock) -> None:
    deadline = Deadline(3)
    assert (deadline.timeout_s, deadline.left_s, deadline.is_over) == (3, 3.0, False)
    clock.now += 2.5
    assert (deadline.left_s, deadline.is_over) == (0.5, False)
    clock.now += 1
    assert (deadline.left_s, deadline.is_over) == (0.0, True)


def test_what_is_so_at_once_takes_no_pause(clock: Clock) -> None:
    assert wait_until(lambda: "here", Deadline(5), every_s=1) == "here"
    assert wait_while(lambda: "", Deadline(5), every_s=1) == ""
    assert clock.pauses == []


def test_the_first_answer_that_is_enough_ends_it(clock: Clock) -> None:
    answers = iter(["", "half", "whole", "more"])
    got = wait_until(lambda: next(answers), Deadline(9), every_s=0.5, enough="whole".__eq__)
    assert got == "whole"
    assert clock.pauses == [0.5, 0.5]


def test_the_last_answer_says_why_it_was_not_so_in_time(clock: Clock) -> None:
    states = iter(["starting", "waiting for the disk", "waiting for the network", "never asked"])
    assert wait_while(lambda: next(states), Deadline(1.5), every_s=1) == "waiting for the network"
    assert clock.pauses == [1, 1]


def test_it_is_asked_once_however_late_it_is(clock: Clock) -> None:
    deadline = Deadline(0)
    clock.now += 1
    assert wait_until(lambda: "here", deadline, every_s=1) == "here"
    assert wait_while(lambda: "busy", deadline, every_s=1) == "busy"
    assert clock.pauses == []


def test_the_number_of_tries_can_end_it_too(clock: Clock) -> None:
    asked: list[int] = []
    assert not wait_until(lambda: asked.append(1), every_s=2, tries=3)
    assert len(asked) == 3
    assert clock.pauses == [2, 2]


def test_what_fails_is_done_again_until_it_works(clock: Clock) -> None:
    do = failing("busy", "busy")
    assert keep_trying(do, Deadline(60), despite=ProviderError, every_s=1, again=is_busy) == "done"
    assert (do.times, clock.pauses) == (3, [1, 1])


def test_an_error_that_does_not_pass_is_raised_at_once(clock: Clock) -> None:
    do = failing("busy", "no such pool", "busy")
    with pytest.raises(ProviderError) as caught:
        keep_trying(do, Deadline(60), despite=ProviderError, every_s=1, again=is_busy)
    assert caught.value.details == "no such pool"
    assert (do.times, clock.pauses) == (2, [1])


def test_an_error_of_another_kind_is_raised_at_once(clock: Clock) -> None:
    do = failing("busy")
    with pytest.raises(ProviderError):
        keep_trying(do, Deadline(60), despite=KeyError, every_s=1, again=lambda _: True)
    assert (do.times, clock.pauses) == (1, [])


@pytest.mark.parametrize(("timeout_s", "tries"), [(1.5, 99), (60, 3)])
def test_the_last_error_is_the_one_that_is_raised(
    clock: Clock, timeout_s: float, tries: int
) -> None:
    do = failing("busy one", "busy two", "busy three", "busy four")
    mended: list[str] = []

    def mend(error: ProviderError) -> bool:
        mended.append(error.details)
        return True

    with pytest.raises(ProviderError) as caught:
        keep_trying(
            do, Deadline(timeout_s), despite=ProviderError, every_s=1, again=mend, tries=tries
        )
    assert caught.value.details == "busy three"
    # After the last one there is nothing to mend it for
    assert (mended, clock.pauses) == (["busy one", "busy two"], [1, 1])


@pytest.mark.parametrize(
    "wait",
    [
        lambda deadline: wait_until(lambda: False, deadline, every_s=30),
        lambda deadline: wait_while(lambda: True, deadline, every_s=30),
        lambda deadline: keep_trying(
            failing("busy"), deadline, despite=ProviderError, every_s=30, again=is_busy
        ),
    ],
)
def test_a_signal_ends_the_pause(wait: Callable[[Deadline], object]) -> None:
    def stop(number: int, _frame: object) -> None:
        raise Interrupted(number)

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    began = time.monotonic()
    try:
        with pytest.raises(Interrupted):
            wait(Deadline(60))
        assert time.monotonic() - began < 20
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_two_that_wait_at_once_do_not_disturb_each_other() -> None:
    is_there = threading.Event()
    found: list[bool] = []

    def wait(timeout_s: float) -> None:
        found.append(wait_until(is_there.is_set, Deadline(timeout_s), every_s=0.01))

    threads = [
        threading.Thread(target=wait, args=(timeout_s,), daemon=True) for timeout_s in (0.1, 30)
    ]
    for thread in threads:
        thread.start()
    threads[0].join(20)
    is_there.set()
    threads[1].join(20)
    assert sorted(found) == [False, True]


def test_nobody_else_reckons_a_deadline() -> None:
    """Or it would be waited for in yet another way."""
    package = Path(deadline.__file__).parent
    sums = ("monotonic() +", "monotonic() <", "monotonic() >")
    homes = {
        path.name
        for path in package.rglob("*.py")
        if any(one in path.read_text("utf-8") for one in sums)
    }
    assert homes == {"deadline.py"}
