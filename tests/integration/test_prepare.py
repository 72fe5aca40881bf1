"""Which Python the environment is made with, and what is installed for the tests."""

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


# What the tests need, by the packages that bring it; `fdisk` and `e2fsprogs` may be in an sbin
PACKAGES = (
    *("shellcheck", "openssh-client", "fish", "tcsh", "zsh", "busybox", "r-base-core"),
    *("gcc", "libc6-dev", "gawk", "original-awk", "chromium", "nodejs", "npm"),
)
APT_GET = """\
#!/bin/sh
echo "$@" >> "{log}"
"""


def _commands_of_apt(place: Path, *there: str) -> list[list[str]]:
    """What a stand-in of apt-get is asked for, on a machine that has only those programs."""
    programs = place / "bin"
    _python(place, "python3", mode=0o755)
    for tool in ("sh", "id", "env", "ls", "dirname"):
        found = shutil.which(tool)
        assert found is not None
        (programs / tool).symlink_to(found)
    stand_ins = dict.fromkeys(there, "#!/bin/sh\n")
    stand_ins |= {"apt-get": APT_GET.format(log=place / "log"), "sudo": '#!/bin/sh\nexec "$@"\n'}
    for name, text in stand_ins.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    done = subprocess.run(
        [ROOT / "tools" / "prepare.sh", "--test"],
        cwd=place,
        env={"PATH": str(programs)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == str(programs / "python3")
    log = place / "log"
    return [line.split() for line in log.read_text().splitlines()] if log.exists() else []


def test_all_that_is_missing_is_installed_in_one_go(place: Path) -> None:
    update, install = _commands_of_apt(place)
    assert update == ["update", "-qq"]
    words = [word for word in install if not word.startswith("-")]
    assert words[0] == "install"
    assert [word for word in words[1:] if word not in ("fdisk", "e2fsprogs")] == [*PACKAGES]


def test_what_is_there_is_not_installed(place: Path) -> None:
    _, install = _commands_of_apt(place, "shellcheck", "R", "google-chrome", "gcc")
    assert not set(install) & {"shellcheck", "r-base-core", "chromium", "gcc", "libc6-dev"}
    assert {"fish", "gawk", "npm"} <= set(install)


def test_where_all_is_there_apt_is_not_asked(place: Path) -> None:
    programs = ("shellcheck", "ssh-keygen", "sfdisk", "debugfs", "fish", "tcsh", "zsh", "busybox")
    others = ("R", "gcc", "gawk", "original-awk", "chromium", "npm")
    assert _commands_of_apt(place, *programs, *others) == []
