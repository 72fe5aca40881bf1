"""A stand-in for homes in seats: a number in each, which grows when its learner works."""

import io
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.run import Completed
from sandbox.workshop.homes import LAY_HOME, SAVE_HOME, TOO_LARGE, UNCHANGED
from sandbox.workshop.stillness import GO_ON, STAND_STILL

STAMP = "stamp"


def archive_of(stamp: int) -> bytes:
    """Make the archive of a home with this number in it."""
    data, text = io.BytesIO(), str(stamp).encode()
    with tarfile.open(fileobj=data, mode="w") as tar:
        info = tarfile.TarInfo(STAMP)
        info.size = len(text)
        tar.addfile(info, io.BytesIO(text))
    return data.getvalue()


def stamp_in(archive: Path) -> int:
    """Read the number in an archive."""
    with tarfile.open(archive) as tar:
        file = tar.extractfile(STAMP)
        assert file is not None
        return int(file.read())


@dataclass
class Homes:
    """Answers the scripts that run in seats."""

    stamps: dict[str, int] = field(default_factory=dict)
    """By machine: what its learner did last; 0 for a new home."""
    changed: dict[str, int] = field(default_factory=dict)
    """By machine: its clock when that was."""
    clock: int = 1000
    too_large: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    """Machines whose home cannot be read."""
    still: set[str] = field(default_factory=set)
    """Machines in which all is stopped."""
    pushed: list[tuple[str, str]] = field(default_factory=list)
    push_answer: str = "{}"

    def work(self, machine: str) -> int:
        """Let the learner work, unless all stands still there; return the number that is there."""
        if machine not in self.still:
            self.clock += 10
            self.stamps[machine], self.changed[machine] = self.clock, self.clock
        return self.stamps.get(machine, 0)

    def answer(
        self, name: str, argv: Sequence[str], stdin: str | bytes | Path | None
    ) -> str | bytes | Completed:
        script = argv[2] if len(argv) > 2 else ""
        if script == STAND_STILL + SAVE_HOME:
            assert argv[4] == name
            self.still.add(name)
            return self._save(name, int(argv[8]))
        if script == GO_ON:
            self.still.discard(name)
            return ""
        if script == SAVE_HOME:
            return self._save(name, int(argv[6]))
        if script == LAY_HOME:
            assert isinstance(stdin, Path)
            self.clock += 10
            self.stamps[name], self.changed[name] = stamp_in(stdin), self.clock
            return ""
        if len(argv) > 6 and "python3" in argv[2]:
            assert isinstance(stdin, Path)
            self.pushed.append((name, stdin.name))
            return self.push_answer
        return ""

    def _save(self, name: str, since: int) -> Completed:
        self.clock += 1
        said = f"home size_mb=1 files=1 unreadable=0 clock={self.clock}\n"
        if name in self.broken:
            return Completed((), 1, "", "no home", 0.0)
        if name in self.too_large:
            return Completed((), TOO_LARGE, "", said.replace("size_mb=1", "size_mb=999"), 0.0)
        if since and self.changed.get(name, 0) < since:
            return Completed((), UNCHANGED, "", said, 0.0)
        data = archive_of(self.stamps.get(name, 0))
        return Completed((), 0, data.decode("latin-1"), said, 0.0)
