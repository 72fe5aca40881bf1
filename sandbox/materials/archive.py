"""Put files of this host into a machine: one archive, unpacked in one call."""

import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sandbox.files import private_folder, whole_file


@dataclass(frozen=True)
class Cargo:
    """A file for a machine."""

    source: Path
    """Its place on this host."""
    target: str
    """Its absolute path on the machine."""


def pack_cargo(cargo: Iterable[Cargo], archive: Path) -> None:
    """Write a tar file to be unpacked at the root of a machine; all of it belongs to root.

    Raises:
        OSError: a file cannot be read, or there is no room.
    """
    private_folder(archive.parent, archive.parent)
    with whole_file(archive) as fresh:
        fresh.touch(mode=0o600)
        with tarfile.open(fresh, "w") as tar:
            for one in cargo:
                tar.add(one.source, one.target.lstrip("/"), recursive=False, filter=_of_root)


def _of_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    member.mode = 0o644
    return member
