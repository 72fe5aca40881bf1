"""A program that does not wait for the disk."""

import os
import sys
from pathlib import Path

import pytest

from sandbox.run import run

SCRIPT = Path(__file__).resolve().parents[2] / "templates" / "unsynced.py"
NO_FILE = 999
CHILD = f"""\
import errno, os, runpy, sys
def said():
    try:
        os.fsync({NO_FILE})
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"
print(said())
runpy.run_path(sys.argv[1])["no_sync"]()
print(said())
with open(sys.argv[2], "w") as file:
    file.write("written")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may set such a filter")
def test_the_kernel_is_not_asked_to_sync_and_all_else_works(tmp_path: Path) -> None:
    done = run((sys.executable, "-c", CHILD, SCRIPT, tmp_path / "new"), timeout_s=30)
    assert done.stdout.split() == ["EBADF", "done"]
    assert (tmp_path / "new").read_text() == "written"


def test_it_is_the_program_that_it_was_asked_to_be() -> None:
    words = ("-c", "import sys; print(sys.argv[1:]); sys.exit(7)", "a b", "--c")
    done = run((sys.executable, "-IS", SCRIPT, sys.executable, *words), timeout_s=30, check=False)
    assert (done.stdout, done.returncode) == ("['a b', '--c']\n", 7)
