"""Ctrl-C, and the signals that mean the same: SIGTERM, and SIGHUP of a terminal that went away.

The first one is raised as `Interrupted` where the program stands, and whatever has to be cleaned up
is cleaned up. The second makes haste: what was asked to end is ended. Only the third breaks into
the cleaning up itself.
"""

import signal
from types import FrameType
from typing import Final

WORDS: Final = {
    signal.SIGINT: "interrupted",
    signal.SIGTERM: "terminated",
    signal.SIGHUP: "the terminal went away",
}
"""What is heeded, and how it is told."""

_PATIENCE: Final = 2


class Interrupted(BaseException):
    """Somebody wants the program to end.

    Not a KeyboardInterrupt: the library of the command line takes those for itself.
    """

    def __init__(self, number: int) -> None:
        self.number = signal.Signals(number)
        self.at_work_on = ""
        """The sandbox that was being changed, if any."""
        super().__init__(WORDS.get(self.number, self.number.name))


class _Heard:
    """How often, and which came first."""

    times = 0
    first: Interrupted | None = None


def listen() -> None:
    """Turn the signals into `Interrupted`; one that is ignored (`nohup`) stays so."""
    for number in WORDS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _hear)


def stop_listening() -> None:
    """All is done but for going: Python itself would now end by a signal, not by our exit code."""
    for number in WORDS:
        signal.signal(number, signal.SIG_IGN)


def heard() -> Interrupted | None:
    """The first one: a library in the middle of its work may have made another error of it."""
    return _Heard.first


def in_a_hurry() -> bool:
    """Whether somebody has asked twice: then nothing is given time to end by itself."""
    return _Heard.times >= _PATIENCE


def _hear(number: int, _frame: FrameType | None) -> None:
    _Heard.times += 1
    _Heard.first = _Heard.first or Interrupted(number)
    if _Heard.times != _PATIENCE:
        raise Interrupted(number)
