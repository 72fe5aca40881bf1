"""Give up waiting for a command when nobody is there any more who could answer it.

A command that speaks to another machine may wait for minutes after that machine was cut off: a dead
connection looks like a slow one. Who knows a quick sign of life says so around the call.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from sandbox.deadline import Deadline

AFTER_S: Final = 5.0
"""So long nobody has been there when a command is given up."""

_EVERY_S: Final = 1.0

IsAway = Callable[[], bool]
"""Tells quickly whether nobody is there now."""

_IS_AWAY: ContextVar[IsAway | None] = ContextVar("is_away", default=None)


@contextmanager
def given_up_when(is_away: IsAway) -> Iterator[None]:
    """End each command inside the block once this has been so for some seconds."""
    outer = _IS_AWAY.get()
    before = _IS_AWAY.set(lambda: is_away() or (outer is not None and outer()))
    try:
        yield
    finally:
        _IS_AWAY.reset(before)


class WatchedDeadline(Deadline):
    """A deadline that is over earlier when nobody is there who could answer."""

    def __init__(self, timeout_s: float) -> None:
        super().__init__(timeout_s)
        self._is_away = _IS_AWAY.get()
        self._alone: Deadline | None = None
        self._pause = Deadline(_EVERY_S)
        self.gave_up = False
        """Whether it was over before its time."""

    @property
    def left_s(self) -> float:
        """How much time is left; asks for a sign of life."""
        if self._is_away is not None and self._pause.is_over and not self.gave_up:
            self._alone = (self._alone or Deadline(AFTER_S)) if self._is_away() else None
            self.gave_up = self._alone is not None and self._alone.is_over
            self._pause = Deadline(_EVERY_S)
        return 0.0 if self.gave_up else super().left_s
