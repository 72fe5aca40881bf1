"""Which boxes there are: in the current folder, in its `boxes/`, and our own."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sandbox.errors import UsageError
from sandbox.paths import data_dir
from sandbox.plain_file import not_a_file
from sandbox.spec.bases import Bases, load_bases
from sandbox.spec.extending import SUFFIXES
from sandbox.spec.file_kind import LOCK_SUFFIX, WORKSHOP_SUFFIX, shipped_boxes
from sandbox.spec.load import LoadedBox, load_box
from sandbox.spec.problem import InvalidBoxError, Problem, near, short
from sandbox.spec.root import Root
from sandbox.spec.source import read_source


@dataclass(frozen=True)
class Entry:
    """One box file, valid or not."""

    name: str
    path: Path
    where: Literal["here", "shipped"]
    loaded: LoadedBox | None
    problems: tuple[Problem, ...] = ()


def find_box(target: str | None, *, cwd: Path) -> Path:
    """Find the box file that the user means: a path, a name, or None for the only one here.

    Raises:
        UsageError: there is none, or more than one.
    """
    if target is None:
        return _only_box(cwd)
    if "/" in target or target.endswith(SUFFIXES):
        return _existing(cwd / target, target, cwd)
    return _by_name(target, cwd) or _existing(cwd / target, target, cwd)


def is_name(target: str, *, cwd: Path) -> bool:
    """Tell whether there is a box of that name, here or among the shipped ones."""
    return bool(target) and "/" not in target and _by_name(target, cwd) is not None


def _by_name(target: str, cwd: Path) -> Path | None:
    for folder in (cwd, cwd / "boxes", data_dir("boxes")):
        for suffix in SUFFIXES:
            if not_a_file(folder / f"{target}{suffix}") is None:
                return folder / f"{target}{suffix}"
    return None


def local_boxes(cwd: Path) -> list[Path]:
    """List the box files of the folder and of its `boxes/`; other YAML files are passed over."""
    return [path for folder in (cwd, cwd / "boxes") for path in _boxes_of(folder)]


def boxes_to_validate(folder: Path) -> tuple[list[Path], list[Path]]:
    """Sort the files of a folder and its `boxes/`: those that may be boxes, and the others.

    An unreadable file may be a box: a caller who checks everything must hear of it.

    Raises:
        UsageError: the folder cannot be read.
    """
    meant, others = list[Path](), list[Path]()
    for place in (folder, folder / "boxes"):
        for path in _yaml_files(place, may_be_absent=place != folder):
            (meant if _may_be_meant(path) else others).append(path)
    return meant, others


def workshops_to_validate(folder: Path) -> list[Path]:
    """List the workshop files of a folder; none where it cannot be read."""
    return sorted(one for one in folder.glob(f"*{WORKSHOP_SUFFIX}") if one.is_file())


def _may_be_box(path: Path) -> bool:
    return path.suffix in SUFFIXES and not path.name.endswith((LOCK_SUFFIX, WORKSHOP_SUFFIX))


def _yaml_files(folder: Path, *, may_be_absent: bool) -> list[Path]:
    try:
        return [path for path in sorted(folder.iterdir()) if _may_be_box(path)]
    except (FileNotFoundError, NotADirectoryError) as error:
        if may_be_absent:
            return []
        raise UsageError(
            f"there is no folder {short(folder)}", hint="`sandbox boxes` lists the boxes there are"
        ) from error
    except OSError as error:
        raise UsageError(
            f"the folder {short(folder)} cannot be looked at: {error.strerror}",
            hint=f"see who may read it: ls -ld {shlex.quote(short(folder))}",
        ) from error


def _may_be_meant(path: Path) -> bool:
    if path.is_symlink() and not Root.of(path).holds(path):
        return True  # its target is not read here; loading it reports a problem
    parsed = read_source(path)
    top = parsed.top
    return top is None or parsed.is_meant or bool(top.get("base") or top.get("extends"))


def list_boxes(cwd: Path) -> list[Entry]:
    """List all boxes, the local ones first, each loaded."""
    bases = load_bases()
    shipped_folder = data_dir("boxes").resolve()
    shipped = (shipped_folder / path.name for path in shipped_boxes())
    here = [path for path in local_boxes(cwd) if path.resolve().parent != shipped_folder]
    return [
        *(examine(path, "here", bases) for path in here),
        *(examine(path, "shipped", bases) for path in shipped),
    ]


def examine(
    path: Path, where: Literal["here", "shipped"], bases: Bases, root: Path | None = None
) -> Entry:
    """Load one box; its problems are part of the answer."""
    try:
        return Entry(path.stem, path, where, load_box(path, bases=bases, root=root))
    except InvalidBoxError as error:
        return Entry(path.stem, path, where, None, error.problems)


def _existing(path: Path, target: str, cwd: Path) -> Path:
    wrong = not_a_file(path)
    if wrong is None:
        return path
    known = {box.stem for box in [*local_boxes(cwd), *shipped_boxes()]}
    suggestion = near(Path(target).stem, known)
    if path.is_dir():
        suggestion = f"sandbox init {shlex.quote(target)} writes a box for the apps in that folder"
    raise UsageError(
        f"no box `{target}`: {wrong}",
        details=f"looked for {short(path)}",
        hint=suggestion or "`sandbox boxes` lists those there are",
    )


def _only_box(cwd: Path) -> Path:
    for folder in (cwd, cwd / "boxes"):
        found = _boxes_of(folder)
        if len(found) == 1:
            return found[0]
        if found:
            raise UsageError(
                f"which box? there are {len(found)} here",
                details="\n".join(short(path) for path in found),
                hint=f"name one: sandbox up {short(found[0])}",
            )
    shipped = sorted(path.stem for path in shipped_boxes())
    raise UsageError(
        "there is no box file in this folder",
        details=f"shipped with sandbox: {', '.join(shipped)}",
        hint=f"name one: sandbox up {shipped[-1]}; sandbox init APPDIR writes one for your own app",
    )


def _boxes_of(folder: Path) -> list[Path]:
    try:
        files = [path for path in sorted(folder.iterdir()) if _may_be_box(path)]
    except OSError:  # not a folder, or not readable: no boxes there
        return []
    sure, unreadable = [], []
    for path in files:
        # A link in somebody's folder could lead to any file of this computer
        top = None if path.is_symlink() and not Root.of(path).holds(path) else read_source(path).top
        if top is None:
            unreadable.append(path)
        elif top.get("base") or top.get("extends"):
            sure.append(path)
    # A broken file alone may be the wanted box; with a good one it is more likely another thing
    return sure or unreadable
