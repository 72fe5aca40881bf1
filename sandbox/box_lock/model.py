"""The form of a lock file: per base and architecture, every file by name, version and checksum.

The guarantee: the same versions and the same bytes of every file that was fetched. Not: the same
compiled bits of packages that the machine compiles itself, and not the same kernel or processor.
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from sandbox.obtained import FileKind, Obtained
from sandbox.spec.texts import Sha256, Text
from sandbox.spec.values import Model

_FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9.+~%:_-]*$")]
_DebName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][A-Za-z0-9.+~%:_-]*\.deb$")]
_DebianName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.+-]*$")]
_DebianVersion = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.+~:-]+$")]
_Architecture = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+$")]
_Size = Annotated[int, Field(ge=0)]


class LockedInput(Model):
    """What the lock was made from: a part of the box, the folder of an app, an renv.lock."""

    name: Text
    """`box: r`, `app: faithful`."""
    sha256: Sha256


class LockedBase(Model):
    """The base image."""

    name: Text
    image: Text
    """Which build of it."""


class LockedDeb(Model):
    """A package of the distribution, with the checksum of its file."""

    name: _DebianName
    version: _DebianVersion
    architecture: _Architecture
    file_name: _DebName
    sha256: Sha256
    size_bytes: _Size
    url: Text
    in_base: bool = False
    """Whether the base image has it: then it is never installed, only compared."""

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
    remote: tuple[tuple[Text, Text], ...] = ()
    """Further fields of its record in an renv.lock."""

    @classmethod
    def of(cls, file: Obtained) -> "LockedFile":
        """Lock a file that was fetched."""
        return cls.model_validate(file.model_dump())

    def obtained(self) -> Obtained:
        """Return it as a plan has it."""
        return Obtained.model_validate(self.model_dump())


class MachineLock(Model):
    """Everything for one base and one architecture."""

    date: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\d$")]
    """The day when it was locked."""
    base: LockedBase
    inputs: tuple[LockedInput, ...] = ()
    left_out: tuple[Text, ...] = ()
    """R packages that the box wants, that its base lacks, and that may be missing."""
    debs: tuple[LockedDeb, ...] = ()
    from_base: tuple[FromBase, ...] = ()
    files: tuple[LockedFile, ...] = ()
    debian_packages: tuple[_DebianName, ...] = ()
    """Packages of the distribution that these files need."""

    @property
    def system(self) -> "LockedSystem":
        """The part that a plan takes along."""
        return LockedSystem(debs=self.debs, from_base=self.from_base)


class LockedSystem(Model):
    """The packages of the distribution that a machine must have, and no others."""

    debs: tuple[LockedDeb, ...] = ()
    from_base: tuple[FromBase, ...] = ()

    @property
    def new_debs(self) -> tuple[LockedDeb, ...]:
        """Those that are installed into the base image."""
        return tuple(one for one in self.debs if not one.in_base)

    @property
    def base_versions(self) -> dict[str, str]:
        """Version by `name:architecture`: those of the base image."""
        in_base = {title(one): one.version for one in self.debs if one.in_base}
        return {title(one): one.version for one in self.from_base} | in_base

    @property
    def versions(self) -> dict[str, str]:
        """Version by `name:architecture`: those of the finished machine."""
        return {**self.base_versions, **{title(one): one.version for one in self.new_debs}}


def title(one: LockedDeb | FromBase) -> str:
    """Name a package as dpkg does where there are several architectures."""
    return f"{one.name}:{one.architecture}"


class BoxLock(Model):
    """A lock file."""

    format: Literal[1] = 1
    sandbox: Text
    """The version of sandbox that wrote it."""
    machines: dict[Text, MachineLock]
    """By base and architecture: `debian-12 x86_64`."""
