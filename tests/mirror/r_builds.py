"""Make an "R in /opt/R/VERSION" of Debian's own R, laid out as Posit's builds are.

It is a repacked Debian R, and its description says so. What is as in Posit's builds: the name of
the package (`r-4.2.2`, version 1), `/opt/R/4.2.2/bin/R` with R_HOME_DIR as text in it, the home
`/opt/R/4.2.2/lib/R` with everything below it, no site files, HTTPUserAgent set in the base
package's profile, plain compiler flags, and a dependency that turns the machine's BLAS to OpenBLAS.

What is not: the -dev packages among the dependencies are few (Posit's name about ten), and Rscript
is a shell script that starts the real one, since the path of R is compiled into that.
"""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

RECOMMENDED = (
    "r-cran-boot", "r-cran-class", "r-cran-cluster", "r-cran-codetools", "r-cran-foreign",
    "r-cran-kernsmooth", "r-cran-lattice", "r-cran-mass", "r-cran-matrix", "r-cran-mgcv",
    "r-cran-nlme", "r-cran-nnet", "r-cran-rpart", "r-cran-spatial", "r-cran-survival",
)  # fmt: skip

CARRIED = ("libdeflate0", "libicu67", "libjbig0", "libtiff5", "libwebp6")
"""Libraries of Debian 11 that Debian 12 lacks: they travel inside the R of Debian 11."""

_BUILDING = (
    "g++", "gfortran", "make", "libblas-dev", "liblapack-dev", "libopenblas0-pthread",
)  # fmt: skip

_USER_AGENT = """
## Set by the builder of this R, so that a package manager sends binaries
local(options(HTTPUserAgent = sprintf("R/%s R (%s)", getRversion(),
  paste(getRversion(), R.version["platform"], R.version["arch"], R.version["os"]))))
"""

_RSCRIPT = """\
#!/bin/sh
# The path of R is compiled into the real Rscript; RHOME is its way to say another one
RHOME={home}
export RHOME
exec {home}/bin/Rscript.real "$@"
"""


@dataclass(frozen=True)
class Packages:
    """What one R is made of."""

    core: Path
    recommended: tuple[Path, ...]
    carried: tuple[Path, ...] = ()


def build(packages: Packages, folder: Path, scratch: Path) -> Path:
    """Write r-VERSION_1_ARCH.deb into the folder and return its path."""
    with tempfile.TemporaryDirectory(dir=scratch, prefix="r-build-") as name:
        work = Path(name)
        old, new = work / "old", work / "new"
        for deb in (packages.core, *packages.recommended):
            _run("dpkg-deb", "-x", deb, old)
        version = _version(old)
        home = f"/opt/R/{version}/lib/R"
        _lay_out(old, new, home, version)
        for deb in packages.carried:
            _carry(deb, new / home[1:] / "lib", work / "carried")
        return _pack(packages, new, folder, version)


def _version(root: Path) -> str:
    text = (root / "usr/lib/R/library/base/DESCRIPTION").read_text(encoding="utf-8")
    found = re.search(r"(?m)^Version: (\S+)$", text)
    assert found, text
    return found.group(1)


def _lay_out(old: Path, new: Path, home: str, version: str) -> None:
    target = new / home[1:]
    target.parent.mkdir(parents=True)
    shutil.move(old / "usr/lib/R", target)
    shutil.rmtree(target / "site-library", ignore_errors=True)
    for inside in ("doc", "include", "share"):
        _replace(old / "usr/share/R" / inside, target / inside)
    etc = target / "etc"
    # Debian's site files name Debian's libraries; Posit's builds have none
    for name in ("Renviron.site", "Rprofile.site"):
        (etc / name).unlink(missing_ok=True)
    for name in ("Makeconf", "ldpaths", "repositories"):
        _replace(old / "etc/R" / name, etc / name)
    _replace(etc / "Renviron.ucf", etc / "Renviron")
    _write_texts(target, home, version)
    bin_ = new / f"opt/R/{version}/bin"
    bin_.mkdir()
    shutil.copy2(target / "bin/R", bin_ / "R")
    # Not into bin/exec: R takes each name there for a sub-architecture of its own
    shutil.copy2(old / "usr/bin/Rscript", target / "bin/Rscript.real")
    for place in (target / "bin/Rscript", bin_ / "Rscript"):
        place.unlink(missing_ok=True)
        place.write_text(_RSCRIPT.format(home=home), encoding="utf-8")
        place.chmod(0o755)
    _unlink_outside(target)


def _replace(source: Path, target: Path) -> None:
    if target.is_symlink():
        target.unlink()
    if source.exists():
        shutil.move(source, target)


def _write_texts(target: Path, home: str, version: str) -> None:
    _edit(target / "bin/R", (
        (r"/usr/lib/R\b", home),
        (r"/usr/\$\{libnn(_fallback)?\}/R", rf"/opt/R/{version}/${{libnn\1}}/R"),
        (r"/usr/share/R/", f"{home}/"),
        # Else a Debian Rscript that this R starts would find this R
        (r"(?m)^R_HOME_DIR=.*$", r"\g<0>" + "\nunset RHOME"),
    ))  # fmt: skip
    _edit(target / "etc/Makeconf", (
        (r"/usr/lib/R\b", home),
        (r" -ffile-prefix-map=\S+", ""),
        (r" -fstack-protector-strong| -Wformat| -Werror=format-security| -Wdate-time", ""),
        (r" -D_FORTIFY_SOURCE=2", ""),
    ))  # fmt: skip
    minor = tuple(int(part) for part in version.split(".")[:2])
    if minor >= (4, 2):
        libraries = "R_LIBS_USER=${R_LIBS_USER:-'%U'}\nR_LIBS_SITE=${R_LIBS_SITE:-'%S'}\n"
    else:
        folder = f"~/R/x86_64-pc-linux-gnu-library/{minor[0]}.{minor[1]}"
        libraries = f"R_LIBS_USER=${{R_LIBS_USER-'{folder}'}}\n"
    _edit(target / "etc/Renviron", ((r"(?m)^R_LIBS_(USER|SITE)=.*\n", ""),))
    with (target / "etc/Renviron").open("a", encoding="utf-8") as stream:
        stream.write(libraries)
    with (target / "library/base/R/Rprofile").open("a", encoding="utf-8") as stream:
        stream.write(_USER_AGENT)


def _edit(path: Path, changes: Iterable[tuple[str, str]]) -> None:
    text = path.read_text(encoding="utf-8")
    for pattern, replacement in changes:
        text = re.sub(pattern, replacement, text)
    path.write_text(text, encoding="utf-8")


def _unlink_outside(target: Path) -> None:
    """Remove the links that made sense only at the old place."""
    for path in target.rglob("*"):
        if path.is_symlink() and (path.readlink().is_absolute() or not path.exists()):
            path.unlink()


def _carry(deb: Path, target: Path, scratch: Path) -> None:
    _run("dpkg-deb", "-x", deb, scratch)
    for library in scratch.glob("usr/lib/*/*.so.*"):
        shutil.copy2(library, target / library.name, follow_symlinks=False)
    shutil.rmtree(scratch)


def _pack(packages: Packages, new: Path, folder: Path, version: str) -> Path:
    arch = _field(packages.core, "Architecture")
    depends = [*_libraries(packages), *_BUILDING]
    control = new / "DEBIAN/control"
    control.parent.mkdir()
    control.write_text(
        f"Package: r-{version}\nVersion: 1\nArchitecture: {arch}\nPriority: optional\n"
        "Section: universe/math\nMaintainer: Tests of sandbox <tests@example.org>\n"
        f"Depends: {', '.join(depends)}\n"
        f"Description: R {version}: Debian's R, repacked by the tests of sandbox\n"
        f" Debian's build of R ({_field(packages.core, 'Version')}) in the layout of Posit's\n"
        " builds. It is a stand-in for tests, not a build of Posit.\n",
        encoding="utf-8",
    )
    folder.mkdir(parents=True, exist_ok=True)
    deb = folder / f"r-{version}_1_{arch}.deb"
    _run("dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", new, deb)
    return deb


def _libraries(packages: Packages) -> list[str]:
    """Return the dependencies of Debian's R, without those that it carries or does not need."""
    carried = {deb.name.partition("_")[0] for deb in packages.carried}
    left_out = {"ucf", "xdg-utils", "libpaper-utils"} | carried
    depends = [part.strip() for part in _field(packages.core, "Depends").split(",")]
    return [part for part in depends if part.split()[0] not in left_out]


def _field(deb: Path, name: str) -> str:
    return _run("dpkg-deb", "--field", deb, name).strip()


def _run(*argv: str | Path) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=120).stdout
