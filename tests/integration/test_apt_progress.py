"""The script that says how far apt has come, with logs and processes like a machine's."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import wait_until

SCRIPT = (Path(__file__).resolve().parents[2] / "templates" / "apt-progress.sh").read_text()
HISTORY = """\

Start-Date: 2026-11-27  02:00:00
Install: old:amd64 (1)
End-Date: 2026-11-27  02:00:01

Start-Date: 2026-11-27  02:44:13
Commandline: /usr/bin/apt-get -y install r-base-core
Install: r-base-core:amd64 (4.2.2), libblas3:amd64 (3.11, automatic), zip:amd64 (3.0, automatic)
Upgrade: libc-bin:amd64 (2.36-1, 2.36-2)
"""
UNPACKED = """\
2026-11-27 02:00:00 install old:amd64 <none> 1
2026-11-27 02:00:01 status installed old:amd64 1
2026-11-27 02:44:13 startup archives unpack
2026-11-27 02:44:14 install libblas3:amd64 <none> 3.11
2026-11-27 02:44:14 status unpacked libblas3:amd64 3.11
2026-11-27 02:44:15 install zip:amd64 <none> 3.0
2026-11-27 02:44:15 status half-installed zip:amd64 3.0
2026-11-27 02:44:15 status unpacked zip:amd64 3.0
2026-11-27 02:44:16 upgrade libc-bin:amd64 2.36-1 2.36-2
"""
CONFIGURED = (
    UNPACKED
    + """\
2026-11-27 02:44:16 status unpacked libc-bin:amd64 2.36-2
2026-11-27 02:44:17 install r-base-core:amd64 <none> 4.2.2
2026-11-27 02:44:17 status unpacked r-base-core:amd64 4.2.2
2026-11-27 02:44:18 configure zip:amd64 3.0 <none>
2026-11-27 02:44:18 status installed zip:amd64 3.0
2026-11-27 02:44:18 status installed zip:amd64 3.0
2026-11-27 02:44:19 configure r-base-core:amd64 4.2.2 <none>
"""
)

Start = Callable[[str, str], None]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a process of that name, marked as a run's."""
    if os.geteuid() != 0:
        pytest.skip("reads the environment of processes, as root does")
    started = []

    def begin(name: str, run: str) -> None:
        ready = tmp_path / f"{name}.ready"
        code = (
            "import ctypes, pathlib, sys, time\n"
            # As apt it may be asked what it has still to fetch; it knows nothing, at once
            'if "--print-uris" in sys.argv: sys.exit()\n'
            f"ctypes.CDLL(None).prctl(15, {name.encode()!r}, 0, 0, 0)\n"
            f"pathlib.Path({str(ready)!r}).touch()\ntime.sleep(60)\n"
        )
        environment = {**os.environ, "SANDBOX_RUN": run}
        started.append(subprocess.Popen((sys.executable, "-c", code), env=environment))
        wait_until("it runs", ready.exists, timeout_s=20)

    yield begin
    for one in started:
        one.kill()
        one.wait()


def said(tmp_path: Path, run: str, known: str = "") -> str:
    script = SCRIPT.replace("/var/log", str(tmp_path)).replace("/var/cache", str(tmp_path))
    done = subprocess.run(
        ("sh", "-s"),
        input=f"set -- {run} '{known}'\n{script}",
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize(
    ("log", "told"),
    [
        (UNPACKED, "at: unpacking libc-bin (2 of 4 packages, 25 %)\n"),
        (CONFIGURED, "at: setting up r-base-core (1 of 4 packages, 62 %)\n"),
        ("", "at: unpacking packages (0 of 4 packages, 0 %)\n"),
    ],
)
def test_what_dpkg_has_done_is_counted(tmp_path: Path, start: Start, log: str, told: str) -> None:
    (tmp_path / "apt").mkdir()
    (tmp_path / "apt" / "history.log").write_text(HISTORY)
    (tmp_path / "dpkg.log").write_text(log)
    assert said(tmp_path, "aaaa") == ""
    start("apt-get", "aaaa")
    start("dpkg", "aaaa")
    before = sorted(tmp_path.rglob("*"))
    assert said(tmp_path, "aaaa") == told
    # Who waits for it is told so
    earlier = "at: an earlier run comes to its end: "
    assert said(tmp_path, "bbbb") == told.replace("at: ", earlier)
    # Reads only
    assert sorted(tmp_path.rglob("*")) == before


def test_without_logs_it_says_as_much_as_it_can(tmp_path: Path, start: Start) -> None:
    start("dpkg", "aaaa")
    assert said(tmp_path, "aaaa") == "at: unpacking packages\n"


def test_what_has_been_fetched_is_counted(tmp_path: Path, start: Start) -> None:
    partial = tmp_path / "apt" / "archives" / "partial"
    partial.mkdir(parents=True)
    (partial.parent / "zip_3.0_amd64.deb").write_bytes(b"x" * 300)
    (partial / "r-base-core_4.2_amd64.deb").write_bytes(b"x" * 100)
    start("apt-get", "aaaa")
    assert said(tmp_path, "aaaa") == ""
    start("http", "aaaa")
    # What apt is called like cannot be asked of a stand-in: it tells nothing more to fetch
    known, at = said(tmp_path, "aaaa").splitlines()
    pid = known.split()[1]
    assert known == f"known: {pid} 1 300"
    # As it is known from then on
    assert said(tmp_path, "aaaa", f"{pid} 4 1000") == (
        "at: fetching r-base-core (2 of 4 packages, 40 %)\n"
    )
    assert at.startswith("at: fetching r-base-core (2 of 1 packages, 100 %)")
