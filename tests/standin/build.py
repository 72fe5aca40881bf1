"""Builds the package of the stand-in for RStudio Server: `python -m tests.standin.build FOLDER`."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
VERSION = "2024.04.2+764"
SUFFIX = "+standin1"
# The same sources give the same bytes, so that a lock of them can be tested
_EPOCH_S = 1_700_000_000
_CONTROL = """\
Package: rstudio-server
Version: {version}{suffix}
Architecture: {arch}
Section: devel
Priority: optional
Maintainer: The tests of sandbox <root@localhost>
Depends: python3, libpam0g, psmisc, sudo, lsb-release, libedit2
Recommends: r-base
Description: stand-in for RStudio Server, for tests only
 This is NOT RStudio Server. It behaves like one where an administrator touches it:
 files, user, unit, configuration, sign-in and R sessions. It shares no code with it.
"""


def deb_name(version: str = VERSION, arch: str = "amd64") -> str:
    """Give the file name that Posit's package of this version has."""
    return f"rstudio-server-{version.replace('+', '-')}-{arch}.deb"


def build_deb(folder: Path, *, version: str = VERSION, arch: str = "amd64") -> Path:
    """Build the package in `folder`; the same version always gives the same bytes."""
    target = folder / deb_name(version, arch)
    with tempfile.TemporaryDirectory(prefix="standin-") as temporary:
        root = Path(temporary) / "root"
        home = root / "usr/lib/rstudio-server"
        shutil.copytree(
            FOLDER / "files", home, ignore=shutil.ignore_patterns("__pycache__", "*.pyc")
        )
        (home / "__init__.py").unlink()
        (home / "standin/VERSION").write_text(version + "\n", encoding="utf-8")
        control = root / "DEBIAN"
        control.mkdir()
        text = _CONTROL.format(version=version, suffix=SUFFIX, arch=arch)
        (control / "control").write_text(text, encoding="utf-8")
        for name in ("postinst", "postrm"):
            shutil.copy(FOLDER / "scripts" / name, control / name)
            (control / name).chmod(0o755)
        _make_alike(root)
        subprocess.run(
            ["dpkg-deb", "--root-owner-group", "-Zxz", "-z1", "--build", str(root), str(target)],
            env={**os.environ, "SOURCE_DATE_EPOCH": str(_EPOCH_S)},
            check=True, capture_output=True,
        )  # fmt: skip
    return target


def _make_alike(root: Path) -> None:
    """Set what a checkout and a umask decide."""
    root.chmod(0o755)
    for path in sorted(root.rglob("*"), reverse=True):
        is_program = path.is_dir() or path.stat().st_mode & 0o100
        path.chmod(0o755 if is_program else 0o644)
        os.utime(path, (_EPOCH_S, _EPOCH_S))
    os.utime(root, (_EPOCH_S, _EPOCH_S))


def main() -> None:
    """Build one by hand."""
    parser = argparse.ArgumentParser(description="Build the stand-in for RStudio Server (tests).")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--version", default=VERSION)
    parser.add_argument("--arch", default="amd64")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    made = build_deb(given.folder, version=given.version, arch=given.arch)
    sys.stdout.write(f"{made}\n")


if __name__ == "__main__":
    main()
