"""A Ctrl-C that comes where Python can only ignore an error is not lost."""

import subprocess
import sys

import pytest

LOST = """
import os, signal, time
from sandbox.interrupts import Interrupted, heard, in_a_hurry, listen
class Removed:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
listen()
try:
    one = Removed()
    del one
    time.sleep(20)
except Interrupted as error:
    print(error, heard() is not None, in_a_hurry())
"""
OTHER = """
from sandbox.interrupts import listen
class Removed:
    def __del__(self):
        raise ValueError("of its own")
listen()
one = Removed()
del one
print("goes on")
"""


def said_by(program: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-c", program]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)


def test_it_comes_again_and_counts_once() -> None:
    done = said_by(LOST)
    assert done.stdout == "interrupted True False\n"
    assert done.stderr == ""


def test_other_errors_that_nobody_can_catch_are_still_said() -> None:
    done = said_by(OTHER)
    assert done.stdout == "goes on\n"
    assert "of its own" in done.stderr


LOADING = """
import os, signal, sys
class Loading:
    def find_spec(self, name, path, target=None):
        if name == "sandbox.cli.app":
            os.kill(os.getpid(), signal.SIGTERM if "term" in sys.argv else signal.SIGINT)
sys.meta_path.insert(0, Loading())
from sandbox.cli.entry import main
main()
"""


@pytest.mark.parametrize(("word", "said"), [("int", "interrupted\n"), ("term", "terminated\n")])
def test_while_the_command_is_loaded_it_ends_without_a_traceback(word: str, said: str) -> None:
    argv = [sys.executable, "-c", LOADING, word]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (130, said)
