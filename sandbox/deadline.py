"""Waiting until something is so, or until the time for it is over.

What is asked runs between the pauses, in the thread of whoever waits, so that Ctrl-C ends both. The
last answer, or the last error, is what is returned or raised: it says why it was not so in time.
"""

import math
import operator
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
E = TypeVar("E", bound=Exception)


class Deadline:
    """The moment by which something has to be done."""

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        """From when it was made."""
        self._at = time.monotonic() + timeout_s

    @property
    def left_s(self) -> float:
        """How much time is left; zero when it is over."""
        return max(0.0, self._at - time.monotonic())

    @property
    def is_over(self) -> bool:
        """Whether the time is over."""
        return time.monotonic() > self._at


def wait_until(
    ask: Callable[[], T],
    deadline: Deadline | None = None,
    *,
    every_s: float,
    tries: float = math.inf,
    enough: Callable[[T], object] = bool,
) -> T:
    """Ask again and again, until an answer is enough; at least once, however late it is.

    Args:
        ask: returns how it is now.
        deadline: once it is over nothing is asked any more; an answer that comes late still counts.
        every_s: the pause after an answer.
        tries: how often to ask at the most.
        enough: whether an answer ends the waiting.

    Returns:
        The last answer, whether it was enough or not.
    """
    asked = 1
    while not enough(answer := ask()) and asked < tries and not _is_over(deadline):
        time.sleep(every_s)
        asked += 1
    return answer


def wait_while(ask: Callable[[], T], deadline: Deadline, *, every_s: float) -> T:
    """Ask again and again what stands in the way, until nothing does; as `wait_until`.

    Returns:
        The last answer: what still stood in the way when the time was over.
    """
    return wait_until(ask, deadline, every_s=every_s, enough=operator.not_)


def keep_trying(
    do: Callable[[], T],
    deadline: Deadline | None = None,
    *,
    despite: type[E],
    every_s: float,
    again: Callable[[E], bool],
    tries: float = math.inf,
) -> T:
    """Do it, and do it again as long as it fails with an error that passes.

    Args:
        do: what may fail.
        deadline: once it is over, a failure is the last one.
        despite: the errors that may pass; all others are raised at once.
        every_s: the pause after a failure.
        again: whether this error is one that passes; may remove its cause before it says so.
        tries: how often to do it at the most.

    Returns:
        What `do` returns when it does not fail.

    Raises:
        E: the last failure, or the first one that does not pass.
    """
    tried = 1
    while True:
        try:
            return do()
        except despite as error:
            if tried >= tries or _is_over(deadline) or not again(error):
                raise
        time.sleep(every_s)
        tried += 1


def _is_over(deadline: Deadline | None) -> bool:
    return deadline is not None and deadline.is_over
