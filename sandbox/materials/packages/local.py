"""Packages of a folder of this host: source tarballs, and folders that become tarballs."""

import gzip
import re
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sandbox.app_files import TooMuchError, UnreadableError, app_files
from sandbox.errors import BoxError
from sandbox.fetch.fetcher import Fetched
from sandbox.fetch.store import Store, sha256_of
from sandbox.materials.packages.dcf import BrokenRecordsError
from sandbox.materials.packages.getting import Demands, Got
from sandbox.materials.packages.inspect import inspect
from sandbox.materials.packages.wishes import Wish
from sandbox.plain_file import not_a_file
from sandbox.spec.problem import code, printable
from sandbox.spec.texts import R_PACKAGE

_NAME: Final = re.compile(R_PACKAGE)
_TAR_NAMES: Final = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


def local_packages(folder: Path, store: Store, demands: Demands, place: str) -> list[Got]:
    """Take every package of a folder into the store.

    Raises:
        BoxError: one of them is no package, or not for this R; `place` is where the box names it.
    """
    got: dict[str, Got] = {}
    problems = list[str]()
    for path in sorted(folder.iterdir()):
        is_package = path.is_dir() and (path / "DESCRIPTION").is_file()
        if not is_package and not path.name.endswith(_TAR_NAMES):
            continue
        try:
            one = take(path, store, demands)
        except NoPackageError as error:
            problems.append(f"{printable(path.name)}: {error}")
            continue
        if (other := got.get(one.wish.name)) is not None:
            both = f"{printable(path.name)} and {printable(Path(other.fetched.url).name)}"
            problems.append(f"{both} are both the package {one.wish.name}")
        got[one.wish.name] = one
    if not got and not problems:
        problems.append("there is no package in it: no .tar.gz, and no folder with a DESCRIPTION")
    if problems:
        raise BoxError(
            f"{place}: the folder {code(folder.name)} does not have packages for this R",
            details="\n".join(problems),
            hint="mend or move them away; nothing was changed",
        )
    return list(got.values())


class NoPackageError(Exception):
    """It is no package that can be installed; the message says why."""


def take(path: Path, store: Store, demands: Demands, wanted: Wish | None = None) -> Got:
    """Take one package, a tar file or a folder, into the store.

    Args:
        path: the file or folder.
        store: where it is kept.
        demands: what it must fit.
        wanted: the package that it must be; any when None.

    Raises:
        NoPackageError: it is none that can be installed, or another one.
    """
    origin = f"file:{path}"
    with store.incoming(origin) as fresh:
        if path.is_dir():
            _pack(path, fresh)
        else:
            if (wrong := not_a_file(path)) is not None:
                raise NoPackageError(wrong)
            shutil.copyfile(path, fresh)
        try:
            file = inspect(fresh)
        except BrokenRecordsError as error:
            raise NoPackageError(str(error)) from error
        if not _NAME.fullmatch(file.name):
            # It becomes the name of files in the machine, and a word of R's
            raise NoPackageError("its DESCRIPTION names no package")
        wish = wanted or Wish(file.name, file.version, ())
        if wrong := demands.wrong(wish, file):
            raise NoPackageError(wrong)
        sha256, size = sha256_of(fresh), fresh.stat().st_size
        kept = store.keep(fresh, sha256)
    fetched = Fetched(kept, sha256, size, path.name)
    return Got(wish, fetched, file, file.is_binary)


def _pack(folder: Path, fresh: Path) -> None:
    """Write a folder as a tarball, whose bytes depend on nothing but the files' contents."""
    try:
        taken = app_files(folder).taken
    except (TooMuchError, UnreadableError) as error:
        raise NoPackageError(printable(str(error), limit=200)) from error
    with (
        fresh.open("wb") as raw,
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path in taken:
            member = archive.gettarinfo(path, f"{folder.name}/{path.relative_to(folder)}")
            if not (member.isfile() or member.isdir() or member.issym()):
                continue
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.mtime = 0
            member.mode = 0o755 if member.isdir() or member.mode & 0o111 else 0o644
            if member.isfile():
                with path.open("rb") as stream:
                    archive.addfile(member, stream)
            else:
                archive.addfile(member)


def beside_lock(lock: Path, name: str, version: str) -> Path | None:
    """Find a package's tarball where renv looks for those that are nowhere else."""
    file = f"{name}_{version}.tar.gz"
    return next((one for one in _cellars(lock.parent, name, file) if one.is_file()), None)


def _cellars(folder: Path, name: str, file: str) -> Iterator[Path]:
    for cellar in ("renv/cellar", "renv/local"):
        yield folder / cellar / file
        yield folder / cellar / name / file
