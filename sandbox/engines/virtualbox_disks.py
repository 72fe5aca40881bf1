"""VirtualBox's list of all disks (`list hdds`): which lie where, which hang on which. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Disk:
    """One disk."""

    uuid: str
    parent: str | None
    """The disk that it hangs on."""
    place: Path


def read_disks(said: str) -> tuple[Disk, ...]:
    """All that are listed with a UUID and a place."""
    return tuple(_disks(said))


def disks_in(folder: Path, said: str) -> list[str]:
    """The ids of the disks in a folder, those that hang on others first."""
    found = [disk for disk in read_disks(said) if disk.place.is_relative_to(folder)]
    return [disk.uuid for disk in sorted(found, key=lambda disk: (disk.parent is None, disk.uuid))]


def clones_of(master: Path, said: str) -> tuple[str, ...]:
    """The folders beside `master` with disks that hang on one of its own; others by their path."""
    disks = read_disks(said)
    inside = {disk.uuid for disk in disks if disk.place.is_relative_to(master)}
    clones = set()
    for disk in disks:
        if disk.uuid in inside or disk.parent not in inside:
            continue
        beside = disk.place.is_relative_to(master.parent)
        clones.add(disk.place.relative_to(master.parent).parts[0] if beside else str(disk.place))
    return tuple(sorted(clones))


def _disks(said: str) -> Iterator[Disk]:
    for block in re.split(r"\n\s*\n", said):
        words = dict(re.findall(r"^(UUID|Parent UUID|Location):\s+(.+?)\s*$", block, re.MULTILINE))
        if {"UUID", "Location"} <= words.keys():
            parent = words.get("Parent UUID", "base")
            # A disk that hangs on none says `base`
            above = None if parent == "base" else parent
            yield Disk(words["UUID"], above, Path(words["Location"]))
