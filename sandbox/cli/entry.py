"""Where the `sandbox` command begins: a Ctrl-C counts from here, also while the rest is loaded."""

import os
import signal

from sandbox.errors import ExitCode
from sandbox.interrupts import WORDS


def main() -> None:
    """Load the command line, and run it."""
    for number in WORDS:
        # What is ignored (`nohup`) stays ignored
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)
    from sandbox.cli.app import main as run

    run()


def _end(number: int, _frame: object) -> None:
    """End at once: nothing has begun, so there is nothing to clean up."""
    words = WORDS[signal.Signals(number)]
    os.write(2, f"{words}\n".encode())
    os._exit(ExitCode.INTERRUPTED)
