"""The folder that a box may read: all paths in a box must lie inside it, links resolved.

As a container's build cannot reach outside of its context, a box cannot reach outside of its root.
The root of a box is the folder that the user names (`--root`), else the nearest folder above it
with a file `sandbox.root`, else the git repository that it lies in, else its own folder. A home
folder or `/` is never a root unless the user names it. A box that lies directly in a home folder
may read only plain files of the same folder that are not hidden, as `sandbox capture` writes them.
"""

import os
import shlex
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from sandbox.errors import UsageError
from sandbox.paths import data_dir, homes
from sandbox.spec.problem import Problem, box_error, code, short
from sandbox.spec.source import Value

MARKER: Final = "sandbox.root"


@dataclass(frozen=True)
class Root:
    """The folder that a box may read."""

    folder: Path | None
    """Absolute, links resolved; None when the box lies in a home itself."""
    can_be_marked: bool
    """Whether a `sandbox.root` further up would change it."""
    home: Path | None = None
    """The home folder that directly holds the box, if one does."""

    @classmethod
    def of(cls, box: Path, named: Path | None = None) -> Self:
        """Find the root of a box file; `named` is the folder from `--root`.

        Raises:
            UsageError: the named path is not a folder, or does not hold the box.
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

    def file_named(self, top: Value, loc: tuple[str | int, ...], path: Path) -> Path:
        """Resolve the path that the file `path`, read as `top`, says at `loc`.

        Raises:
            KeyError: it says nothing there.
            InvalidBoxError: the path now leads out of the root.
        """
        value = top.get(*loc)
        if value is None:
            raise KeyError(loc)
        if (refusal := self.refusal(value)) is not None:
            raise box_error([refusal], path)
        return real(value.as_path())

    def refusal(self, value: Value, path: Path | None = None) -> Problem | None:
        """Say why a path in a box (which means `path`) may not be read; None when it may."""
        try:
            target = real(path or value.as_path())
        except ValueError:  # a NUL: no folder can be asked about it
            return None
        if self._allows(value.source.path, target):
            return None
        message = f"{code(value.raw)} leads out of what this box may read: "
        if self.folder is None:
            message += "plain files next to it, because it lies directly in a home folder"
        else:
            message += short(self.folder)
        return value.problem(message, self._cure(value, target))

    def holds(self, box: Path) -> bool:
        """Tell whether the box file itself lies inside, and is not a link to elsewhere."""
        return self._allows(box, real(box))

    def _allows(self, file: Path, target: Path) -> bool:
        if target.is_relative_to(shipped()):  # our own files, known to everybody
            return True
        if real(file).is_relative_to(shipped()):
            return False
        if self.folder is not None:
            return target.is_relative_to(self.folder)
        is_beside = target.parent == self.home and not target.name.startswith(".")
        return is_beside and not target.is_dir()

    def _cure(self, value: Value, target: Path) -> str:
        common = Path(os.path.commonpath([real(value.source.path.parent), target]))
        # The user will type these words into a shell, and a folder's name may be anything
        allowed = f"Put it next to the box, or allow it: `--root {shlex.quote(short(common))}`"
        if self.can_be_marked and not (_is_too_wide(common) or _is_everybodys(common)):
            allowed += f", or `touch {shlex.quote(short(common / MARKER))}`"
        return allowed


def real(path: Path) -> Path:
    """Resolve all links of the path, whether it is there or not."""
    return Path(os.path.realpath(path))


def shipped() -> Path:
    """Return the folder of our own boxes: always readable."""
    return real(data_dir("boxes"))


def _is_too_wide(folder: Path) -> bool:
    """Whether it holds somebody's home: `/`, `/home`, and the home itself."""
    return folder == Path("/") or any(home.is_relative_to(folder) for home in homes())


def _is_everybodys(folder: Path) -> bool:
    """Whether anybody may put a marker there, as in /tmp."""
    try:
        return bool(folder.stat().st_mode & stat.S_IWOTH)
    except OSError:  # gone, or not readable: then it holds no marker for us either
        return True


def _checked(folder: Path, named: Path, box: Path) -> Path:
    if not folder.is_dir():
        raise UsageError(
            f"--root {short(named)} is not a folder", hint="name one that holds the box"
        )
    if not real(box).is_relative_to(folder) and not real(box).is_relative_to(shipped()):
        raise UsageError(
            f"the box {short(box)} does not lie in --root {short(named)}",
            hint="name a folder that holds the box and all that it names",
        )
    return folder
