"""The folder that a box may read: listed for a bundle, and laid out again from one."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.bundle.model import Role, Tree, TreeFile, TreeFolder, TreeLink, leads_inside
from sandbox.files import private_folder
from sandbox.spec.root import MARKER

_FILE, _PROGRAM = 0o600, 0o700


class OutsideError(Exception):
    """Something that the box names does not lie in its folder; the message says what."""


@dataclass(frozen=True)
class TreeSource:
    """Where the bytes of a blob are on this host."""

    path: Path
    sha256: str
    size_bytes: int
    role: Role
    name: str

    @classmethod
    def of(cls, path: Path, role: Role, name: str) -> "TreeSource":
        """Look at a file.

        Raises:
            OSError: it cannot be read.
        """
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            return cls(path, digest, stream.tell(), role, name)


@dataclass
class Lister:
    """Lists what lies below a folder."""

    top: Path
    files: dict[str, TreeFile] = field(default_factory=dict)
    folders: dict[str, TreeFolder] = field(default_factory=dict)
    links: dict[str, TreeLink] = field(default_factory=dict)
    sources: list[TreeSource] = field(default_factory=list)

    def add(self, path: Path, role: Role) -> None:
        """Add a file, a folder without what is in it, or a link that is not followed.

        Raises:
            OutsideError: it does not lie in the folder, or leads out of it.
            OSError: it cannot be read.
        """
        if not path.is_relative_to(self.top):
            raise OutsideError(f"{path} does not lie in {self.top}")
        name = path.relative_to(self.top).as_posix()
        if name == "." or name in self.files:
            return
        if path.is_symlink():
            target = str(path.readlink())
            if not leads_inside(name, target):
                raise OutsideError(f"the link {name} leads to {target}")
            self.links[name] = TreeLink(path=name, target=target)
        elif path.is_dir():
            self.folders[name] = TreeFolder(path=name)
        elif path.is_file():
            source = TreeSource.of(path, role, name)
            is_program = bool(path.stat().st_mode & 0o111)
            self.sources.append(source)
            self.files[name] = TreeFile(path=name, sha256=source.sha256, is_program=is_program)
        else:
            raise OutsideError(f"{name} is neither a file nor a folder")

    def add_all(self, paths: Iterable[Path], role: Role) -> None:
        """Add them all.

        Raises:
            OutsideError, OSError: as in `add`.
        """
        for path in paths:
            self.add(path, role)

    def tree(self, box: Path) -> Tree:
        """Return what was added.

        Raises:
            ValueError: a name cannot be in a bundle.
        """
        return Tree(
            box=box.relative_to(self.top).as_posix(),
            files=tuple(one for _, one in sorted(self.files.items())),
            folders=tuple(one for _, one in sorted(self.folders.items())),
            links=tuple(one for _, one in sorted(self.links.items())),
        )


def lay_tree(tree: Tree, folder: Path, bytes_of: Callable[[str], Path]) -> Path:
    """Lay the tree out in a new folder, for its owner alone, and return the box in it.

    Raises:
        OSError: there is no room, or a file is missing.
    """
    private_folder(folder, folder)
    for one in tree.folders:
        (folder / one.path).mkdir(parents=True, exist_ok=True)
    for file in tree.files:
        place = folder / file.path
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(bytes_of(file.sha256), place)
        place.chmod(_PROGRAM if file.is_program else _FILE)
    # Last: nothing was written through them
    for link in tree.links:
        place = folder / link.path
        place.parent.mkdir(parents=True, exist_ok=True)
        os.symlink(link.target, place)  # noqa: PTH211
    if not (folder / MARKER).exists():
        # What the box may read: this folder, wherever it lies
        (folder / MARKER).touch(mode=_FILE)
    return folder / tree.box
