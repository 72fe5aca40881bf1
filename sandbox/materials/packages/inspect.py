"""Look into a package file: what it is, whatever its address or a server's answer said.

A file is binary only when its DESCRIPTION says how it was built and R's own index of it is inside
(Meta/package.rds). A repository may serve source where it promised binary, a binary for another R,
and has served libraries of another architecture.
"""

import struct
import tarfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Final

from sandbox.materials.packages.dcf import BrokenRecordsError, first_record
from sandbox.materials.packages.versions import Requirement, Version, requirements
from sandbox.materials.packages.with_r import Architecture
from sandbox.spec.problem import code

_MAX_DESCRIPTION_BYTES: Final = 2_000_000
_MAX_MEMBERS: Final = 200_000
_CHUNK_BYTES: Final = 1 << 20
_HEADER_BYTES: Final = 20
_MACHINES: Final = {62: "x86_64", 183: "aarch64", 3: "i386", 40: "arm", 243: "riscv64"}
_OTHER_SYSTEMS: Final = {
    b"\xcf\xfa\xed\xfe": "macOS",
    b"\xca\xfe\xba\xbe": "macOS",
    b"\xfe\xed\xfa\xcf": "macOS",
}
_LIBRARIES: Final = (".so", ".dylib", ".dll")


@dataclass(frozen=True)
class PackageFile:
    """What a package file holds."""

    name: str
    version: str
    fields: dict[str, str] = field(repr=False)
    """Its DESCRIPTION."""
    has_index: bool
    """Whether Meta/package.rds is there: R has installed it once."""
    machines: frozenset[str]
    """What its shared libraries are for: x86_64; `macOS` and so on for another system."""
    folder: str = ""
    """The package's folder in the file, without the top one: empty but for some of GitHub's."""

    @property
    def is_binary(self) -> bool:
        """Whether it is installed by unpacking."""
        return bool(self.fields.get("Built")) and self.has_index

    @property
    def built_with(self) -> str:
        """The version of R that built it; empty when it does not say."""
        words = self.fields.get("Built", "").split(";")[0].split()
        return words[1] if len(words) > 1 and words[0] == "R" else ""

    @property
    def needs(self) -> tuple[Requirement, ...]:
        """What must be there when it is installed or loaded, R itself among it."""
        return requirements(
            *(self.fields.get(one, "") for one in ("Depends", "Imports", "LinkingTo"))
        )

    @property
    def links_to(self) -> tuple[str, ...]:
        """The packages whose headers its code is compiled with."""
        return tuple(one.name for one in requirements(self.fields.get("LinkingTo", "")))

    @property
    def system_requirements(self) -> str:
        """The field SystemRequirements: words for people."""
        return self.fields.get("SystemRequirements", "")

    def unfit(self, r_minor: str, architecture: Architecture) -> str:
        """Say why it cannot be unpacked for that R on that machine; empty when it can."""
        if not self.is_binary:
            return "it is source"
        try:
            minor = Version(self.built_with).minor
        except ValueError:
            return "it does not say which R it was built with"
        if minor != r_minor:
            return f"it was built with R {self.built_with}, and this R is {r_minor}"
        others = sorted(self.machines - {architecture})
        if others:
            return f"its libraries are for {', '.join(others)}, and this machine is {architecture}"
        return ""

    def not_asked_for(self, name: str, version: str) -> str:
        """Say how it differs from the package that was asked for; empty when it does not."""
        if self.name != name:
            return f"it holds the package {code(self.name)}, not {code(name)}"
        try:
            same = Version(self.version) == Version(version)
        except ValueError:
            same = self.version == version
        return "" if same else f"it holds {name} {code(self.version)}, not {version}"


def inspect(path: Path, *, folder: str = "") -> PackageFile:
    """Read a package file to its end.

    Args:
        path: a tar file, compressed or not.
        folder: the package's folder below the file's top one, where it is not the top one.

    Raises:
        BrokenRecordsError: it is no package, is damaged, or has been cut off.
    """
    try:
        with path.open("rb") as file:
            return inspect_open(file, folder=folder)
    except OSError as error:
        raise BrokenRecordsError(f"it cannot be read ({error})") from error


def inspect_open(file: IO[bytes], *, folder: str = "") -> PackageFile:
    """Read an open package file to its end; see `inspect`.

    Raises:
        BrokenRecordsError: it is no package, is damaged, or has been cut off.
    """
    look = _PackageReading(
        tuple(part for part in PurePosixPath(folder).parts if part not in {"/", "."})
    )
    try:
        with tarfile.open(fileobj=file) as archive:
            for number, member in enumerate(archive):
                if number > _MAX_MEMBERS:
                    raise BrokenRecordsError(f"it holds more than {_MAX_MEMBERS} files")
                look.take(archive, member)
            # Python stops at tar's own end; a checksum comes after it
            while archive.fileobj is not None and archive.fileobj.read(_CHUNK_BYTES):
                pass
    except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError) as error:
        raise BrokenRecordsError(f"it is not a whole tar file ({error})") from error
    return look.found()


class _PackageReading:
    def __init__(self, below: tuple[str, ...]) -> None:
        self._below = below
        self._description: bytes | None = None
        self._has_index = False
        self._machines = set[str]()

    def take(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        parts = tuple(part for part in member.name.split("/") if part not in {"", "."})
        depth = 1 + len(self._below)
        if len(parts) <= depth or parts[1:depth] != self._below or not member.isfile():
            return
        inside = parts[depth:]
        if inside == ("DESCRIPTION",):
            if member.size > _MAX_DESCRIPTION_BYTES:
                raise BrokenRecordsError("its DESCRIPTION is far too large")
            self._description = _bytes(archive, member, _MAX_DESCRIPTION_BYTES)
        elif inside == ("Meta", "package.rds"):
            self._has_index = True
        elif inside[0] == "libs" and inside[-1].endswith(_LIBRARIES):
            self._machines.add(_machine(_bytes(archive, member, _HEADER_BYTES)))

    def found(self) -> PackageFile:
        if self._description is None:
            where = f" in its folder {code('/'.join(self._below))}" if self._below else ""
            raise BrokenRecordsError(f"there is no DESCRIPTION{where}: it is no R package")
        fields = first_record(self._description)
        return PackageFile(
            name=fields.get("Package", ""),
            version=fields.get("Version", ""),
            fields=fields,
            has_index=self._has_index,
            machines=frozenset(self._machines),
            folder="/".join(self._below),
        )


def _bytes(archive: tarfile.TarFile, member: tarfile.TarInfo, limit: int) -> bytes:
    stream = archive.extractfile(member)
    return stream.read(limit) if stream is not None else b""


def _machine(header: bytes) -> str:
    """The machine that a shared library is for, from the first bytes of its file."""
    if header[:4] == b"\x7fELF" and len(header) >= _HEADER_BYTES:
        order = ">" if header[5] == 2 else "<"  # noqa: PLR2004  (ELFDATA2MSB)
        (number,) = struct.unpack_from(f"{order}H", header, 18)
        return _MACHINES.get(number, f"the machine {number}")
    if header[:2] == b"MZ":
        return "Windows"
    return _OTHER_SYSTEMS.get(header[:4], "no system that is known")
