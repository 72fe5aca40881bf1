"""Waiting until something is true, or until the time for it is over.

The question is asked between pauses, in the thread of the caller, so that Ctrl-C ends both. The
last answer is returned, or the last error raised: it says what was still wrong.
"""

import math
import operator
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
E = TypeVar("E", bound=Exception)


class Deadline:
    """The moment by which something must be done."""

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        """Seconds from the moment the deadline was made."""
        self._at = time.monotonic() + timeout_s

    @property
    def left_s(self) -> float:
        """How much time is left; zero when the time is over."""
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
    """Ask again and again, until an answer is enough; at least once, even when the time is over.

    Args:
        ask: returns the present state.
        deadline: once it is over, nothing more is asked; an answer that comes late still counts.
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
    """Ask again and again for the obstacle, until there is none; works like `wait_until`.

    Returns:
        The last answer: the obstacle that was left when the time was over.
    """
    return wait_until(ask, deadline, every_s=every_s, enough=operator.not_)


def keep_trying(
    do: Callable[[], T],
    deadline: Deadline | None = None,
    *,
    despite: type[E],
    every_s: float | Callable[[E], float],
    again: Callable[[E], bool],
    tries: float = math.inf,
) -> T:
    """Do it, and do it again as long as it fails with an error that may pass.

    Args:
        do: the action that may fail.
        deadline: once it is over, a failure is the last one.
        despite: the errors that may pass; all others are raised at once.
        every_s: the pause after a failure, or what says it for that failure.
        again: whether to try again after this error; may remove the cause of the error first.
        tries: how often to do it at the most.

    Returns:
        What `do` returns when it does not fail.

    Raises:
        E: the last failure, or the first one that will not pass.
    """
    tried = 1
    while True:
        try:
            return do()
        except despite as error:
            if tried >= tries or _is_over(deadline) or not again(error):
                raise
            pause_s = every_s(error) if callable(every_s) else every_s
        time.sleep(pause_s)
        tried += 1


def _is_over(deadline: Deadline | None) -> bool:
    return deadline is not None and deadline.is_over
