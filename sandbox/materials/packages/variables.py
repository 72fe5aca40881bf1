"""Ansible's variable `r_library_list`: the library of each R, as the role `r_library` wants it."""

from pydantic import BaseModel, ConfigDict

from sandbox.errors import BoxError
from sandbox.materials.packages.renv_lock import read_renv_lock
from sandbox.materials.packages.resolve import in_order
from sandbox.materials.packages.with_r import PackagesOfR, rs_of
from sandbox.obtained import Materials, Obtained
from sandbox.plan import Plan


class LibraryFile(BaseModel):
    """A package, in the form that install_library.py wants."""

    model_config = ConfigDict(frozen=True)

    file_name: str
    name: str
    version: str
    sha256: str
    is_binary: bool
    needs: tuple[str, ...]
    folder: str = ""
    """The package's folder in the file, below the top one."""
    fields: tuple[tuple[str, str], ...] = ()
    """Further fields of its installed DESCRIPTION."""


class LibraryVars(BaseModel):
    """The library of one R."""

    model_config = ConfigDict(frozen=True)

    r: str
    """The full version."""
    home: str
    """R RHOME."""
    library: str
    locked_with: str = ""
    """The version of R that wrote the lock file; empty when there is none."""
    needs_java: bool = False
    """Whether R is told where Java is before anything is compiled."""
    files: tuple[LibraryFile, ...]
    """In an order in which each can be installed."""


def library_variables(plan: Plan, materials: Materials) -> tuple[LibraryVars, ...]:
    """Make the variable for every R of a plan whose packages were fetched."""
    return tuple(_library(one, materials) for one in rs_of(plan))


def _library(r: PackagesOfR, materials: Materials) -> LibraryVars:
    files = {
        one.name: one for one in materials.files if one.kind == "r_package" and one.r == r.version
    }
    order = in_order({name: one.needs for name, one in files.items()})
    return LibraryVars(
        r=r.version,
        home=r.machine.home,
        library=r.library,
        locked_with=_locked_with(r),
        needs_java="default-jdk" in materials.debian_packages,
        files=tuple(_file(files[name]) for name in order),
    )


def _locked_with(r: PackagesOfR) -> str:
    if r.packages.source != "renv" or r.source is None:
        return ""
    try:
        return read_renv_lock(r.source.path).r_version
    except BoxError:  # of an older `up`: gone or changed since, and only words are at stake
        return ""


def _file(one: Obtained) -> LibraryFile:
    remote = dict(one.remote)
    return LibraryFile(
        file_name=one.file_name,
        name=one.name,
        version=one.version,
        sha256=one.sha256,
        is_binary=one.is_binary,
        needs=one.needs,
        folder=remote.get("RemoteSubdir", "").strip("/"),
        fields=one.remote,
    )
