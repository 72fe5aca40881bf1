"""Make binary packages, one set for each release of Debian and the R in it.

Most are Debian's own builds (`r-cran-rcpp` and the like): a real R of that release has built them,
and no minute goes into compiling. A few are built here, with this host's R: versions that Debian's
release did not have, and the tests' own packages.

All of them say `Repository: RSPM` in DESCRIPTION, as a package manager's do.
"""

import io
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.mirror import tarballs
from tests.mirror.tarballs import Description

MINORS = {"bullseye": "4.0", "bookworm": "4.2", "trixie": "4.5"}
"""The R of each release."""


@dataclass(frozen=True)
class Binary:
    """A binary package for one release and one R minor."""

    codename: str
    r_minor: str
    description: Description
    path: Path


def from_debian(deb: Path, codename: str, folder: Path, scratch: Path) -> Binary | None:
    """Make a binary tarball of a package that Debian has built.

    None when Debian built it with the R before its release's own: a package manager never serves
    such a one.
    """
    with tempfile.TemporaryDirectory(dir=scratch, prefix="deb-") as name:
        root = Path(name)
        subprocess.run(("dpkg-deb", "-x", deb, root), check=True, timeout=120)
        (installed,) = root.glob("usr/lib/R/*library/*")
        description = (installed / "DESCRIPTION").read_text(encoding="utf-8")
        if f"\nBuilt: R {MINORS[codename]}." not in description:
            return None
        return _keep(installed, codename, MINORS[codename], folder)


def build(sources: Iterable[Path], folder: Path, scratch: Path) -> tuple[Binary, ...]:
    """Build these source packages, in this order, with this host's R; none without an R here."""
    host = host_r()
    if host is None:
        return ()
    codename, r_minor = host
    made = []
    with tempfile.TemporaryDirectory(dir=scratch, prefix="library-") as name:
        library = Path(name)
        for source in sources:
            argv = ("R", "CMD", "INSTALL", "--no-docs", "--no-test-load", "-l", library, source)
            env = {**os.environ, "R_LIBS": str(library), "MAKEFLAGS": "-j2"}
            done = subprocess.run(
                argv, env=env, capture_output=True, text=True, timeout=300, check=False
            )
            if done.returncode != 0:
                raise RuntimeError(f"R CMD INSTALL {source.name} failed:\n{done.stderr}")
            package = tarballs.read_description(source).name
            made.append(_keep(library / package, codename, r_minor, folder))
    return tuple(made)


def host_r() -> tuple[str, str] | None:
    """Return this host's release and the minor version of its R, if it is one of Debian's."""
    if shutil.which("R") is None or shutil.which("g++") is None:
        return None
    release = Path("/etc/os-release").read_text(encoding="utf-8")
    codename = re.search(r"(?m)^VERSION_CODENAME=(\w+)$", release)
    done = subprocess.run(
        ("R", "--version"), capture_output=True, text=True, timeout=60, check=True
    )  # fmt: skip
    version = re.search(r"R version (\d+\.\d+)", done.stdout)
    if codename is None or version is None or codename.group(1) not in MINORS:
        return None
    return codename.group(1), version.group(1)


def _keep(installed: Path, codename: str, r_minor: str, folder: Path) -> Binary:
    """Pack an installed package, with its DESCRIPTION changed as a package manager changes it."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz", compresslevel=1) as tar:
        tar.add(installed, arcname=installed.name, filter=_nobody)
    data = tarballs.rewrite(raw.getvalue(), tarballs.from_repository)
    text = (installed / "DESCRIPTION").read_text(encoding="utf-8")
    description = tarballs.parse_description(text)
    path = folder / f"{codename}-{r_minor}" / f"{description.name}_{description.version}.tar.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return Binary(codename, r_minor, description, path)


def _nobody(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member
