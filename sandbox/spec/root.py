"""The folder that a box may read: what a box names lies inside of it, links resolved.

As a container's build cannot reach outside of its context, a box cannot reach outside of its root.
The root of a box is the folder that the user names (`--root`), else the nearest folder above it
with a file `sandbox.root`, else the git repository that it lies in, else its own folder. Never is
somebody's home or `/` taken for a root that nobody named: a box that lies there itself reads only
plain files beside it, as `sandbox capture` writes them, and none that is hidden.
"""

import os
import shlex
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from sandbox.errors import UsageError
from sandbox.paths import data_dir, homes
from sandbox.spec.problem import Problem, code, short
from sandbox.spec.source import Value

MARKER: Final = "sandbox.root"


@dataclass(frozen=True)
class Root:
    """Where a box may read."""

    folder: Path | None
    """Absolute, links resolved; None when the box lies in a home itself."""
    can_be_marked: bool
    """Whether a `sandbox.root` further up would change it."""
    home: Path | None = None
    """The home that the box lies in, when it does."""

    @classmethod
    def of(cls, box: Path, named: Path | None = None) -> Self:
        """The root of a box file; `named` is what the user said.

        Raises:
            UsageError: what the user named is no folder, or not one that holds the box.
        """
        own = real(box.parent)
        if named is not None:
            return cls(_checked(real(named), named, box), can_be_marked=False)
        if own.is_relative_to(shipped()):
            return cls(shipped(), can_be_marked=False)
        above = [folder for folder in (own, *own.parents) if not _is_too_wide(folder)]
        ours = [folder for folder in above if not _is_everybodys(folder)]
        marked = next((one for one in ours if (one / MARKER).is_file()), None)
        if marked is not None:
            return cls(marked, can_be_marked=False)
        repository = next((one for one in ours if (one / ".git").exists()), None)
        if not above:
            return cls(None, can_be_marked=True, home=own)
        return cls(repository or above[0], can_be_marked=True)

    def refusal(self, value: Value, path: Path | None = None) -> Problem | None:
        """What is wrong with a path that a box says (and means `path`); None: it may be read."""
        try:
            target = real(path or value.as_path())
        except ValueError:  # a NUL: no folder can be asked about it
            return None
        if self._allows(value.source.path, target):
            return None
        message = f"{code(value.raw)} leads out of what this box may read: "
        if self.folder is None:
            message += "plain files beside it, for it lies in a home folder itself"
        else:
            message += short(self.folder)
        return value.problem(message, self._cure(value, target))

    def holds(self, box: Path) -> bool:
        """Whether the box file itself lies inside, and is no link to elsewhere."""
        return self._allows(box, real(box))

    def _allows(self, file: Path, target: Path) -> bool:
        if target.is_relative_to(shipped()):  # there is nothing in it that is not known to all
            return True
        if real(file).is_relative_to(shipped()):
            return False
        if self.folder is not None:
            return target.is_relative_to(self.folder)
        is_beside = target.parent == self.home and not target.name.startswith(".")
        return is_beside and not target.is_dir()

    def _cure(self, value: Value, target: Path) -> str:
        common = Path(os.path.commonpath([real(value.source.path.parent), target]))
        # Words to be typed into a shell, and a folder's name may be anything
        allowed = f"Put it beside the box, or allow it: `--root {shlex.quote(short(common))}`"
        if self.can_be_marked and not (_is_too_wide(common) or _is_everybodys(common)):
            allowed += f", or `touch {shlex.quote(short(common / MARKER))}`"
        return allowed


def real(path: Path) -> Path:
    """The path with all links resolved, whether it is there or not."""
    return Path(os.path.realpath(path))


def shipped() -> Path:
    """The folder of the boxes that come with us: always readable."""
    return real(data_dir("boxes"))


def _is_too_wide(folder: Path) -> bool:
    """Whether it holds somebody's home: `/`, `/home`, and the home itself."""
    return folder == Path("/") or any(home.is_relative_to(folder) for home in homes())


def _is_everybodys(folder: Path) -> bool:
    """Whether anybody may put a marker there: /tmp."""
    try:
        return bool(folder.stat().st_mode & stat.S_IWOTH)
    except OSError:  # gone, or not for us to see: then it holds no marker for us either
        return True


def _checked(folder: Path, named: Path, box: Path) -> Path:
    if not folder.is_dir():
        raise UsageError(f"--root {short(named)} is no folder", hint="name one that holds the box")
    if not real(box).is_relative_to(folder) and not real(box).is_relative_to(shipped()):
        raise UsageError(
            f"the box {short(box)} does not lie in --root {short(named)}",
            hint="name a folder that holds the box and all that it names",
        )
    return folder
