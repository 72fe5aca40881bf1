"""A file that this host fetched for a machine: which one, from where, and its checksum.

A plan holds these, so that its key covers every byte; `sandbox.materials` finds them.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict

FileKind = Literal["r", "rstudio", "r_package"]
"""A build of R, the package of RStudio Server, or a package of R."""


class Obtained(BaseModel):
    """One file, kept on this host by its checksum (`sandbox.fetch.store`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: FileKind
    name: str
    """R, rstudio-server, or the R package's name."""
    version: str
    file_name: str
    """Its name in the machine's folder of files: plain, without a folder."""
    url: str
    """Its public address, never that of a mirror; of a folder's package, the path below the box."""
    sha256: str
    size_bytes: int
    r: str = ""
    """The full version of the R that it is for; empty for RStudio Server."""
    is_binary: bool = True
    """Whether it is used as it is; a source package is compiled in the machine."""
    needs: tuple[str, ...] = ()
    """R packages among the others that must be there before this one, sorted."""
    linked_to: tuple[str, ...] = ()
    """`NAME VERSION` of the packages that its C code was built with (LinkingTo), sorted."""
    remote: tuple[tuple[str, str], ...] = ()
    """Further fields of its record in an renv.lock, such as RemoteSha; sorted."""


class Materials(BaseModel):
    """All that is fetched for one machine."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    files: tuple[Obtained, ...] = ()
    """Sorted by kind, R and name."""
    debian_packages: tuple[str, ...] = ()
    """Packages of the distribution that these files need, sorted."""
