"""Read a box file: resolve `extends`, validate, and report all that is wrong at once."""

from dataclasses import dataclass, replace
from pathlib import Path

from sandbox.spec import semantics
from sandbox.spec.base_models import Base
from sandbox.spec.bases import Bases, load_bases
from sandbox.spec.choices import ProviderName
from sandbox.spec.extending import Gathered, gather, shown
from sandbox.spec.file_kind import BOX_FILE
from sandbox.spec.models import Box
from sandbox.spec.problem import Problem, box_error
from sandbox.spec.root import Root, real
from sandbox.spec.source import Value
from sandbox.spec.valid_part import valid_part


@dataclass(frozen=True)
class LoadedBox:
    """A valid box, its base, and the place of each of its values."""

    name: str
    """The file's stem."""
    path: Path
    box: Box
    base: Base
    top: Value
    root: Root
    """The folder that the box may read."""
    named_root: Path | None = None
    """The root, absolute, where the user named one."""
    files: tuple[Path, ...] = ()
    """Absolute: the box file, and all files that it extends."""

    @property
    def provider(self) -> ProviderName | None:
        """The provider that the box asks for."""
        return self.box.provider

    def file_at(self, *loc: str | int) -> Path:
        """Resolve the path in the box at `loc`: relative to the file that says it.

        Raises:
            InvalidBoxError: the path now leads out of the box's root.
        """
        return self.root.file_named(self.top, loc, self.path)

    def place_of(self, *loc: str | int) -> str:
        """Name the place of the value at `loc`, for messages: `boxes/shiny.yml:12`."""
        return self.top.nearest(loc).problem("").place


def load_box(path: Path, *, bases: Bases | None = None, root: Path | None = None) -> LoadedBox:
    """Read, merge and validate a box file.

    Args:
        path: the box file.
        bases: the bases that boxes start from; our own when None.
        root: the folder that the box may read, where the user named one; see sandbox.spec.root.

    Raises:
        InvalidBoxError: anything is wrong with it; `problems` has everything.
        UsageError: the box does not lie in `root`.
    """
    path = path.absolute()
    its_root = Root.of(path, root)
    if not its_root.holds(path):
        message = "it is a link to a file outside of its own folder"
        problem = Problem(path, 0, "", message, "Name that file itself, or allow it with `--root`")
        raise box_error([problem], path)
    gathered = gather(path, its_root, BOX_FILE)
    if gathered.top is None:
        raise box_error(shown(gathered, BOX_FILE), path)
    bases = load_bases() if bases is None else bases
    box, problems = _validate(gathered, bases, its_root)
    if problems or box is None or box.base is None:
        raise box_error(shown(replace(gathered, problems=tuple(problems)), BOX_FILE), path)
    named = real(root) if root is not None else None
    base, files = bases[box.base], gathered.files
    return LoadedBox(path.stem, path, box, base, gathered.top, its_root, named, files)


def _validate(gathered: Gathered, bases: Bases, root: Root) -> tuple[Box | None, list[Problem]]:
    """The box without its wrong parts, and all problems of the whole."""
    box, top, problems = valid_part(gathered, Box)
    if box is None or gathered.top is None:
        return None, problems
    context = semantics.BoxContext(
        box, top, gathered.top, bases, complete=gathered.complete, root=root
    )
    return box, [*problems, *semantics.problems_of(context)]
