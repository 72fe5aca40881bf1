"""A lock that another process holds, and that goes with it."""

import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.locks import HeldError, hold, hold_now

HOLDER = """
import sys, time
from pathlib import Path
from sandbox.locks import hold_now
lock = hold_now(Path(sys.argv[1]))
lock.sign("me, for good")
print("held", flush=True)
time.sleep(60)
"""


def test_the_lock_of_a_process_that_was_killed_is_free(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen(
        (sys.executable, "-c", HOLDER, str(path)), stdout=subprocess.PIPE, text=True
    ) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            with pytest.raises(HeldError) as caught:
                hold_now(path)
            assert caught.value.words == "me, for good"
            # Whoever waits for it has it as soon as the holder is gone
            with hold(path, on_wait=holder.kill):
                pass
        finally:
            holder.kill()
    hold_now(path).release()
