"""Find the modules of this program that another module needs: read the imports, import nothing.

To import the code that makes machines takes half a second; a command with nothing to do must not.
"""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

_US = __name__.partition(".")[0]
# Each begins with plain letters: `re` finds such patterns many times faster
_FROM = re.compile(rf"from ({_US}[\w.]*) import (\([^)]*\)|[^\n]*)".encode())
_PLAIN = re.compile(rf"import ({_US}[\w.]*)".encode())
_FOR_TYPES = re.compile(rb"\nif TYPE_CHECKING:\n(?:[ \t]+.*\n|\n)+")
"""Imports that only mypy reads."""
_LATE = re.compile(rb"\n[ \t]+from [^\n]*")
"""Imports that run when a function is called, and not with their module."""
_WORD = re.compile(rb"\w+")


def reachable(start: str, above: Path) -> dict[str, bytes]:
    """Read the source of a module, and of all modules of this program that it reaches by imports.

    Args:
        start: the module, such as `sandbox.provision`.
        above: the folder that holds the program's package.

    Returns:
        The text of each module's file, by the module's name.

    Raises:
        ModuleNotFoundError: there is no module `start`.
    """
    reached = _Reached(above)
    reached.follow([start])
    if start not in reached.sources:
        raise ModuleNotFoundError(f"there is no module {start}", name=start)
    # Python runs the packages around a module first. Imports in their functions are not needed
    reached.follow([around for name in reached.sources for around in _around(name)], late=False)
    return reached.sources


class _Reached:
    """The modules found so far."""

    def __init__(self, root: Path) -> None:
        self.root = str(root)
        self.sources: dict[str, bytes] = {}
        self._listed: dict[str, frozenset[str]] = {}

    def follow(self, names: Iterable[str], *, late: bool = True) -> None:
        """Add these modules and their imports; with `late`, also the imports in their functions."""
        todo = list(names)
        while todo:
            name = todo.pop()
            if name in self.sources or (path := self._file(name)) is None:
                continue
            self.sources[name] = path.read_bytes()
            text = _FOR_TYPES.sub(b"", self.sources[name])
            todo += _imported(text if late else _LATE.sub(b"", text))

    def _file(self, name: str) -> Path | None:
        """The file of a module; None for something else, such as a function of a module."""
        package, _, stem = name.rpartition(".")
        folder = f"{self.root}/{package.replace('.', '/')}"
        if f"{stem}.py" in self._names_in(folder):
            return Path(folder, f"{stem}.py")
        if stem in self._names_in(folder) and "__init__.py" in self._names_in(f"{folder}/{stem}"):
            return Path(folder, stem, "__init__.py")
        return None

    def _names_in(self, folder: str) -> frozenset[str]:
        # Looking for one file after the other takes longer than reading the list of files
        if folder not in self._listed:
            try:
                self._listed[folder] = frozenset(entry.name for entry in os.scandir(folder))
            except (FileNotFoundError, NotADirectoryError):
                self._listed[folder] = frozenset()
        return self._listed[folder]


def _imported(text: bytes) -> Iterator[str]:
    """The names of everything that may be a module."""
    for module, names in _FROM.findall(text):
        yield module.decode()
        yield from (f"{module.decode()}.{name.decode()}" for name in _WORD.findall(names))
    yield from (module.decode() for module in _PLAIN.findall(text))


def _around(name: str) -> Iterator[str]:
    while name := name.rpartition(".")[0]:
        yield name
