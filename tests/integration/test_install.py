"""tools/install.py: several pips beside each other, ended together. The pip here is a stand-in."""

import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT, is_alive

INSTALL = ROOT / "tools" / "install.py"
LOCK = "".join(f"p{at}==1 \\\n    --hash=sha256:{at:064}\n" for at in range(9))
# Notes its words and its process; with SLOW it never ends, and has a child that never does
PIP = """\
import os, pathlib, subprocess, sys, time
place = pathlib.Path(os.environ["NOTES"])
words = sys.argv[1:]
text = pathlib.Path(words[-1]).read_text() if "-r" in words else " ".join(words)
(place / str(os.getpid())).write_text(text)
if "SLOW" in os.environ and "install" in words:
    child = subprocess.Popen(["sleep", "600"])
    (place / str(child.pid)).write_text("child")
    time.sleep(600)
sys.exit("BAD" in os.environ and "p3==1" in text)
"""


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    (tmp_path / "pip").mkdir()
    (tmp_path / "pip" / "__init__.py").touch()
    (tmp_path / "pip" / "__main__.py").write_text(PIP)
    (tmp_path / "requirements.lock").write_text(LOCK)
    (tmp_path / "notes").mkdir()
    return tmp_path / "notes"


def start(notes: Path, **variables: str) -> "subprocess.Popen[bytes]":
    above = notes.parent
    ours = {"NOTES": str(notes), "PYTHONPATH": str(above), "TMPDIR": str(above)}
    return subprocess.Popen(
        [sys.executable, str(INSTALL), "requirements.lock"],
        cwd=above,
        env={**os.environ, **ours, **variables},
    )


def said(notes: Path) -> list[str]:
    return [path.read_text() for path in notes.iterdir()]


def test_every_package_goes_to_one_pip_with_its_checksums() -> None:
    parts = runpy.run_path(str(INSTALL))["parts_of"](f"# made by\n\n{LOCK}")
    assert len(parts) == 4
    assert sorted("".join(parts).splitlines()) == sorted(LOCK.splitlines())
    assert parts[0].splitlines()[:2] == LOCK.splitlines()[:2]
    assert runpy.run_path(str(INSTALL))["parts_of"]("a==1 --hash=x\n") == ["a==1 --hash=x\n"]


def test_one_that_fails_fails_all(notes: Path) -> None:
    assert start(notes, BAD="1").wait(60) == 1
    assert "check" not in said(notes)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_ended_it_leaves_no_process_and_no_file(notes: Path, number: signal.Signals) -> None:
    process = start(notes, SLOW="1")
    deadline = time.monotonic() + 30
    while len(said(notes)) < 10 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert said(notes).count("child") == 5
    process.send_signal(number)
    assert process.wait(30) == 130
    time.sleep(0.2)
    assert [path.name for path in notes.iterdir() if is_alive(int(path.name))] == []
    assert list(notes.parent.glob("sandbox-install-*")) == []
