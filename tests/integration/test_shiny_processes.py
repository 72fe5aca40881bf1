"""The shell that ends Shiny Server's processes, and that finds a live app: on processes for real.

Nothing of Shiny or R is here: shells of other names stand for the server, its `su` and its R.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.checks.live import END_R
from tests.conftest import ROOT, wait_until

_PROBE = ROOT / "sandbox" / "facts" / "subjects"


class Family:
    """A server with `su` and R beneath it; each writes its process id where a test can read it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.app = folder / "app"
        self.app.mkdir()
        self.r = folder / "bin" / "exec" / "R"
        self.r.parent.mkdir(parents=True)
        shutil.copy("/bin/sh", self.r)
        r = f'echo $$ >{folder}/r.pid; trap "exit 0" INT; while :; do sleep 0.1; done'
        su = f"cd {self.app} && {self.r} -c '{r}' SockJSAdapter.R & echo $! >{folder}/su.pid; wait"
        (folder / "su").write_text(su)
        # Not `exec`: the shell must stay, as the parent
        server = f"sh {folder}/su & wait; :"
        self.server = subprocess.Popen(["sh", "-c", server, "/opt/shiny-server/lib/main.js"])
        wait_until("R runs", self._is_whole)

    def _is_whole(self) -> bool:
        path = self.folder / "r.pid"
        return path.exists() and path.read_text().strip() != ""

    @property
    def r_pid(self) -> int:
        return int((self.folder / "r.pid").read_text())

    def end(self) -> None:
        """End whatever a test has left."""
        script = f"{END_R}\nend_r $(below {self.server.pid}) {self.r_pid}"
        subprocess.run(["sh", "-c", script], timeout=30, check=False)
        self.server.kill()
        self.server.wait()


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Family]:
    its = Family(tmp_path)
    try:
        yield its
    finally:
        its.end()


def shell(script: str) -> list[str]:
    done = subprocess.run(
        ["sh", "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def found_worker() -> list[str]:
    return shell(f". {_PROBE}/r.sh; . {_PROBE}/shiny.sh; find_worker")


def test_all_that_is_under_the_server_ends_when_it_was_killed(family: Family) -> None:
    below = shell(f"set -eu; {END_R} below {family.server.pid}")
    assert str(family.r_pid) in below
    family.server.kill()
    family.server.wait()
    os.kill(family.r_pid, 0)
    began = time.monotonic()
    shell(f"set -eu; {END_R} end_r {' '.join(below)}")
    assert time.monotonic() - began < 8
    assert not Path(f"/proc/{family.r_pid}").exists()
    # Of what is not there any more, nothing is said and nothing is waited for
    shell(f"set -eu; {END_R} end_r {' '.join(below)}")


def test_the_probe_looks_into_an_app_that_is_served(family: Family) -> None:
    assert found_worker() == [str(family.r_pid)]


def test_the_probe_does_not_look_into_what_a_killed_server_left(family: Family) -> None:
    family.server.kill()
    family.server.wait()
    os.kill(family.r_pid, 0)
    assert found_worker() == []


def test_the_probe_does_not_look_into_an_app_whose_folder_is_gone(family: Family) -> None:
    family.app.rmdir()
    assert found_worker() == []


def test_of_two_the_younger_is_of_the_release_that_is_served(
    family: Family, tmp_path: Path
) -> None:
    (tmp_path / "second").mkdir()
    younger = Family(tmp_path / "second")
    try:
        assert found_worker() == [str(younger.r_pid)]
    finally:
        younger.end()
