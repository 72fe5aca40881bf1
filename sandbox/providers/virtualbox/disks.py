"""VirtualBox's disks: their places, which depend on which, and their sizes. Changes nothing."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_BLOCK_BYTES: Final = 512
"""The unit of `st_blocks`."""


@dataclass(frozen=True)
class Disk:
    """A disk that VirtualBox knows."""

    uuid: str
    parent: str | None
    """The id of the disk on which it depends; None when it depends on none."""
    path: Path


def read_disks(said: str) -> tuple[Disk, ...]:
    """Parse all disks in `VBoxManage list hdds` with a UUID and a place, whoever made them."""
    return tuple(_disks(said))


def disks_in(folder: Path, disks: tuple[Disk, ...]) -> tuple[Disk, ...]:
    """List the disks in a folder; first those that depend on others."""
    found = (disk for disk in disks if disk.path.is_relative_to(folder))
    return tuple(sorted(found, key=lambda disk: (disk.parent is None, disk.uuid)))


def machines_on(master: Path, disks: tuple[Disk, ...], *, prefix: str) -> tuple[str, ...]:
    """Name the machines with disks that depend on a master's, by VirtualBox's folders for them.

    Folders next to the master's are named without `prefix`; a disk elsewhere by its whole path.
    """
    inside = {disk.uuid for disk in disks if disk.path.is_relative_to(master)}
    users = {disk.path for disk in disks if disk.parent in inside and disk.uuid not in inside}
    return tuple(sorted({_machine(path, master.parent, prefix) for path in users}))


def bytes_in(folder: Path) -> int | None:
    """Measure the space really taken on the disk, without holes; None when we may not see that."""
    try:
        files = [path.stat() for path in folder.rglob("*") if path.is_file()]
    except OSError:
        return None
    return sum(file.st_blocks * _BLOCK_BYTES for file in files)


def _machine(path: Path, root: Path, prefix: str) -> str:
    if not path.is_relative_to(root):
        return str(path)
    return path.relative_to(root).parts[0].removeprefix(prefix)


def _disks(said: str) -> Iterator[Disk]:
    for block in re.split(r"\n\s*\n", said):
        words = dict(re.findall(r"^(UUID|Parent UUID|Location):\s+(.+?)\s*$", block, re.MULTILINE))
        if {"UUID", "Location"} <= words.keys():
            parent = words.get("Parent UUID", "base")
            # A disk that depends on none says `base`
            above = None if parent == "base" else parent
            yield Disk(words["UUID"], above, Path(words["Location"]))
