"""`make test` in lanes: each test is in one, each failure is told, and all of them are ended."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import lanes
from tests.conftest import ROOT, Host, is_alive, wait_until


def is_in(path: str, words: tuple[str, ...]) -> bool:
    """Whether pytest finds a file by these words."""
    taken = any(path == word or path.startswith(f"{word}/") for word in words)
    return taken and f"--ignore={path}" not in words


def test_every_file_of_tests_is_in_one_lane() -> None:
    paths = {str(path.relative_to(ROOT)) for path in ROOT.glob("tests/*/**/test_*.py")}
    # By hand alone: `make test-virtualbox` says so
    paths -= {path for path in paths if path.startswith("tests/virtualbox/")}
    assert paths >= set(lanes.WITHOUT_SHINY)
    for path in paths:
        # The lane of the VMs names no files, but a mark
        found = [name for name, words in lanes.LANES.items() if is_in(path, words)]
        assert len(found) == 1, (path, found)


def test_a_failure_in_one_lane_is_told_and_the_others_run_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = {name: tmp_path / name for name in ("first", "second")}
    code = "from pathlib import Path\ndef test():\n    Path({!r}).touch()\n    assert {}\n"
    for name, path in made.items():
        (tmp_path / f"test_{name}.py").write_text(code.format(str(path), name != "first"))
    words = {name: ("-q", str(tmp_path / f"test_{name}.py")) for name in made}
    monkeypatch.setattr(lanes, "LANES", words)
    monkeypatch.setattr(lanes, "AT_ONCE", 1)
    assert lanes.Lanes(Host(tmp_path)).run(list(made)) == 1
    assert all(path.exists() for path in made.values())


def test_who_is_ended_lets_every_lane_take_down_what_it_made(tmp_path: Path) -> None:
    path = tmp_path / "test_long.py"
    path.write_text(
        "import os, time, pytest\n"
        "from pathlib import Path\n"
        "from tests.conftest import pytest_configure as ended_like_ctrl_c\n"
        f"here = Path({str(tmp_path)!r})\n"
        "@pytest.fixture\n"
        "def made():\n"
        "    ended_like_ctrl_c()\n"
        "    (here / 'pid').write_text(str(os.getpid()))\n"
        "    yield\n"
        "    (here / 'taken-down').touch()\n"
        "def test(made):\n"
        "    time.sleep(60)\n"
    )
    code = (
        "import os\n"
        "from pathlib import Path\n"
        "from tests import lanes\n"
        "from tests.conftest import Host, end_like_ctrl_c\n"
        "end_like_ctrl_c()\n"
        f"lanes.LANES = {{'long': ('-q', {str(path)!r})}}\n"
        "running = lanes.Lanes(Host(Path()))\n"
        "try:\n"
        "    running.run(['long'])\n"
        "finally:\n"
        "    running.end()\n"
        f"    assert os.path.exists({str(tmp_path / 'taken-down')!r})\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    wait_until("the test runs", (tmp_path / "pid").exists, timeout_s=30)
    time.sleep(0.2)
    process.terminate()
    _, said = process.communicate(timeout=30)
    assert "KeyboardInterrupt" in said
    assert "AssertionError" not in said
    assert not is_alive(int((tmp_path / "pid").read_text()))
