"""The command line on hosts whose locale is not UTF-8, and in folders of any name."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import SANDBOX, cannot_run

LATIN_1 = "de_DE.ISO-8859-1"
BOX = "version: 1\ndescription: für Käse 中\nbase: debian-12\n"


@pytest.fixture(scope="session")
def locales(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a locale that is not UTF-8; few hosts have one."""
    folder = tmp_path_factory.mktemp("locales")
    if shutil.which("localedef") is None:
        cannot_run("there is no localedef: apt-get install locales")
    made = subprocess.run(
        ["localedef", "-i", "de_DE", "-f", "ISO-8859-1", folder / LATIN_1],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    if not (folder / LATIN_1).is_dir():
        cannot_run(f"no locale can be made: {made.stderr}")
    return folder


def _run(locales: Path, locale: str, home: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    kept = ("PATH", "PYTHONPATH")
    env = {name: os.environ[name] for name in kept if name in os.environ}
    env |= {"LOCPATH": str(locales), "LC_ALL": locale, "HOME": str(home)}
    # Nothing of Python's own that would mend it
    env |= {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    return subprocess.run(
        [SANDBOX, *words], env=env, cwd=home, capture_output=True, timeout=60, check=False
    )


@pytest.mark.parametrize("locale", [LATIN_1, "C", "POSIX", "xx_YY.UTF-8"])
def test_files_are_utf8_and_what_cannot_be_shown_is_replaced(
    tmp_path: Path, locales: Path, locale: str
) -> None:
    home = tmp_path / "Käse %h $x 'q' #1"
    home.mkdir()
    (home / "für.yml").write_text(BOX, encoding="utf-8")
    good = _run(locales, locale, home, "validate", "für.yml")
    assert (good.returncode, good.stderr) == (0, b"")
    encoding = "latin-1" if locale == LATIN_1 else "ascii"
    assert "f" in good.stdout.decode(encoding)
    (home / "für.yml").write_text(BOX + "nonsense: Käse 中\n", encoding="utf-8")
    wrong = _run(locales, locale, home, "validate", "für.yml")
    assert wrong.returncode == 3
    said = (wrong.stdout + wrong.stderr).decode(encoding)
    assert ("für.yml" if locale == LATIN_1 else "f?r.yml") in said
    listed = _run(locales, locale, home, "list", "--json")
    assert listed.returncode in (0, 4), listed.stderr


def test_a_file_whose_name_is_not_utf8(tmp_path: Path, locales: Path) -> None:
    path = os.fsencode(tmp_path) + b"/f\xfcr.yml"
    with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123  (pathlib has no bytes)
        file.write(BOX)
    for locale in (LATIN_1, "C.UTF-8"):
        done = _run(locales, locale, tmp_path, "validate", os.fsdecode(b"f\xfcr.yml"))
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("name", "word"),
    [(b"a\nb", "control character"), (b"\xfc", "not UTF-8"), (b"${x}", "`${`"), (b'"', '`"`')],
)
def test_a_folder_that_no_tool_could_name_is_refused(
    tmp_path: Path, locales: Path, name: bytes, word: str
) -> None:
    home = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    home.mkdir()
    done = _run(locales, "C.UTF-8", home, "status", "nothing")
    assert done.returncode == 4, done.stderr
    assert word in done.stderr.decode()
    assert "export XDG_STATE_HOME=" in done.stderr.decode()
