"""Handling of Ctrl-C, and of SIGTERM and of SIGHUP (the terminal went away), which mean the same.

The first signal raises `Interrupted` where the program is, and everything is cleaned up. The second
shortens the clean-up: a command that was asked to end is killed. Only the third one ends the
clean-up itself.
"""

import os
import signal
import sys
import threading
from types import FrameType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

WORDS: Final = {
    signal.SIGINT: "interrupted",
    signal.SIGTERM: "terminated",
    signal.SIGHUP: "the terminal went away",
}
"""The signals that are handled, and the words for each."""

_PATIENCE: Final = 2
_AGAIN_S: Final = 0.01
"""So soon a signal comes again that was lost where nothing can be raised."""


class Interrupted(BaseException):
    """Somebody wants the program to end.

    Not a KeyboardInterrupt: the command line's library catches those itself.
    """

    def __init__(self, number: int) -> None:
        self.number = signal.Signals(number)
        self.at_work_on = ""
        """The sandbox that was being changed, if any."""
        super().__init__(WORDS.get(self.number, self.number.name))


class _Heard:
    """How many signals came, and which came first."""

    times = 0
    first: Interrupted | None = None


def listen() -> None:
    """Turn the signals into `Interrupted`; a signal that is ignored (`nohup`) stays ignored."""
    for number in WORDS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _hear)
    sys.unraisablehook = _lost


def stop_listening() -> None:
    """Stop handling signals, just before the exit: the exit status must be ours, not a signal's."""
    for number in WORDS:
        signal.signal(number, signal.SIG_IGN)


def heard() -> Interrupted | None:
    """Return the first interrupt: a library may have turned it into another error."""
    return _Heard.first


def in_a_hurry() -> bool:
    """Tell whether somebody has asked twice: then no command is given time to end by itself."""
    return _Heard.times >= _PATIENCE


def _hear(number: int, _frame: FrameType | None) -> None:
    _Heard.times += 1
    _Heard.first = _Heard.first or Interrupted(number)
    if _Heard.times != _PATIENCE:
        raise Interrupted(number)


def _lost(what: "UnraisableHookArgs") -> None:
    """Send an interrupt again that came where Python can only ignore an error.

    That is inside a callback of a compiled library, or while an object is being removed.
    """
    interrupt = what.exc_value
    if not isinstance(interrupt, Interrupted):
        sys.__unraisablehook__(what)
        return
    _Heard.times -= 1
    again = threading.Timer(_AGAIN_S, os.kill, (os.getpid(), interrupt.number))
    again.daemon = True
    again.start()
