"""A test run that is asked to end takes down what its fixtures made."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, wait_until

TEST = """\
import time, pytest
from pathlib import Path

@pytest.fixture(scope="session")
def machine():
    Path("made").touch()
    yield
    time.sleep(0.5)
    Path("taken-down").touch()

def test_takes_long(machine):
    try:
        time.sleep(60)
    except Exception:
        time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_fixtures_are_taken_down(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "test_it.py").write_text(TEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = libvirt\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "test_it.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # noqa: PLW1509
    )
    try:
        wait_until("the fixture is made", (tmp_path / "made").exists, timeout_s=30)
        process.send_signal(number)
        process.send_signal(number)
        assert process.wait(30) == pytest.ExitCode.INTERRUPTED
    finally:
        process.kill()
    assert (tmp_path / "taken-down").exists()
