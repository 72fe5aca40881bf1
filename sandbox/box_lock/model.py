"""The form of a lock file: per base and architecture, every file by name, version and checksum.

The guarantee: the same versions and the same bytes of every file that was fetched. Not: the same
compiled bits of packages that the machine compiles itself, and not the same kernel or processor.
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from sandbox.obtained import FileKind
from sandbox.spec.texts import Sha256, Text
from sandbox.spec.values import Model

_Key = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{12}$")]
_FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9.+~%:_-]*$")]
_DebianName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.+-]*$")]
_DebianVersion = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.+~:-]+$")]
_Architecture = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+$")]
_Size = Annotated[int, Field(ge=0)]


class LockedInput(Model):
    """A file or folder of the box's own that goes into its machine: an app, an renv.lock."""

    name: Text
    sha256: Sha256


class LockedBase(Model):
    """The base image."""

    name: Text
    image: Text
    """Which build of it."""


class LockedDeb(Model):
    """A package of the distribution that is installed into the base image."""

    name: _DebianName
    version: _DebianVersion
    architecture: _Architecture
    file_name: _FileName
    sha256: Sha256
    size_bytes: _Size
    url: Text

    @property
    def title(self) -> str:
        """Name and version."""
        return f"{self.name} {self.version}"


class FromBase(Model):
    """A package that the base image brought; its bytes are those of the image."""

    name: _DebianName
    version: _DebianVersion
    architecture: _Architecture


class LockedFile(Model):
    """A build of R, a package of R, or RStudio Server."""

    kind: FileKind
    name: Text
    version: Text
    r: Text = ""
    """The version of the R that it is for."""
    is_binary: bool = True
    file_name: _FileName
    sha256: Sha256
    size_bytes: _Size
    url: Text
    needs: tuple[Text, ...] = ()
    linked_to: tuple[Text, ...] = ()
    remote: dict[Text, Text] = {}


class MachineLock(Model):
    """Everything for one base and one architecture."""

    date: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\d$")]
    """The day when it was locked."""
    box: _Key
    """Over the box with all its defaults: another one is another box."""
    request: _Key
    """Over the part of the box that decides which files are fetched."""
    base: LockedBase
    inputs: tuple[LockedInput, ...] = ()
    debs: tuple[LockedDeb, ...] = ()
    from_base: tuple[FromBase, ...] = ()
    files: tuple[LockedFile, ...] = ()
    debian_packages: tuple[_DebianName, ...] = ()
    """Packages of the distribution that these files need."""


class BoxLock(Model):
    """A lock file."""

    format: Literal[1] = 1
    sandbox: Text
    """The version of sandbox that wrote it."""
    machines: dict[Text, MachineLock]
    """By base and architecture: `debian-12 x86_64`."""
