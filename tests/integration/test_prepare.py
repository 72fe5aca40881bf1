"""Which Python the environment is made with."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

# Says that it is new enough, and where it is at home
PYTHON = """\
#!/bin/sh
case $2 in *base_prefix*) echo "{home}" ;; esac
"""


@pytest.fixture
def place() -> Iterator[Path]:
    # Not tmp_path, which nobody else may enter
    folder = Path(tempfile.mkdtemp(prefix="sbx-prepare-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def _python(place: Path, name: str, *, mode: int) -> Path:
    """A Python of that name whose home has that mode, on the PATH."""
    home = place / f"home of {name}" / "lib"
    home.mkdir(parents=True)
    home.parent.chmod(mode)
    program = place / "bin" / name
    program.parent.mkdir(exist_ok=True)
    program.write_text(PYTHON.format(home=home))
    program.chmod(0o755)
    return program


def _chosen(place: Path) -> str:
    done = subprocess.run(
        [ROOT / "tools" / "prepare.sh"],
        cwd=place,
        env={**os.environ, "PATH": f"{place / 'bin'}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.skipif(os.geteuid() != 0, reason="others make it for themselves")
def test_root_takes_a_python_that_all_can_run(place: Path) -> None:
    _python(place, "python3", mode=0o700)
    for_all = _python(place, "python3.13", mode=0o755)
    assert _chosen(place) == str(for_all)


@pytest.mark.skipif(os.geteuid() != 0, reason="others make it for themselves")
def test_in_a_folder_of_its_own_root_takes_its_own(place: Path) -> None:
    own = _python(place, "python3", mode=0o700)
    _python(place, "python3.13", mode=0o755)
    place.chmod(0o700)
    assert _chosen(place) == str(own)


def test_the_first_that_is_good_is_taken(place: Path) -> None:
    first = _python(place, "python3", mode=0o755)
    _python(place, "python3.13", mode=0o755)
    assert _chosen(place) == str(first)
