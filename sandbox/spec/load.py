"""Read a box file: resolve `extends`, validate, and report all that is wrong at once."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from sandbox.paths import data_dir
from sandbox.plain_file import NO_SUCH_FILE, not_a_file
from sandbox.spec import semantics
from sandbox.spec.base_models import Base
from sandbox.spec.bases import Bases, load_bases
from sandbox.spec.choices import ProviderName
from sandbox.spec.models import Box
from sandbox.spec.problem import Problem, box_error, code, near, short
from sandbox.spec.root import Root, real
from sandbox.spec.source import Value, read_source
from sandbox.spec.translate import FieldPlace, problems_by_place

SUFFIXES = (".yml", ".yaml")
LOCK_SUFFIX = ".lock.yml"
"""What a box's lock ends with: next to its box, and no box."""
MAX_CHAIN = 16
"""How many boxes may extend each other, one the next."""
_NO_BOX = "this does not look like a box, so its text is not shown"
_WHAT_A_BOX_SAYS = "A box says `version: 1` and `base: debian-12`, or `extends: BOX`"
_ROUNDS = 10
"""How often wrong values are taken out until the rest is valid."""


def shipped_boxes() -> list[Path]:
    """List our own boxes."""
    found = sorted(data_dir("boxes").glob("*.yml"))
    return [path for path in found if not path.name.endswith(LOCK_SUFFIX)]


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
        value = self.top.get(*loc)
        if value is None:
            raise KeyError(loc)
        if (refusal := self.root.refusal(value)) is not None:
            raise box_error([refusal], self.path)
        return real(value.as_path())

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
    gathered = _gather(path, (), its_root)
    if gathered.top is None:
        raise box_error(_shown(gathered), path)
    bases = load_bases() if bases is None else bases
    box, problems = _validate(gathered, bases, its_root)
    if problems or box is None or box.base is None:
        raise box_error(_shown(replace(gathered, problems=tuple(problems))), path)
    named = real(root) if root is not None else None
    base, files = bases[box.base], gathered.files
    return LoadedBox(path.stem, path, box, base, gathered.top, its_root, named, files)


@dataclass(frozen=True)
class _Gathered:
    """A file with all files that it extends, merged."""

    top: Value | None
    problems: tuple[Problem, ...]
    complete: bool = True
    """False when an extended file cannot be read: missing values may be in that file."""
    strangers: frozenset[Path] = frozenset()
    """Files that are clearly no boxes: their text must not be shown."""
    files: tuple[Path, ...] = ()
    """The file itself, and all files that it extends."""


def _shown(gathered: _Gathered) -> list[Problem]:
    """The problems to show: for a file that is no box, only the place of the first one."""
    told = list[Problem]()
    met = set[Path]()
    for problem in sorted(gathered.problems, key=lambda one: one.line):
        if problem.path not in gathered.strangers or not problem.reveals:
            told.append(problem)
        elif problem.path not in met:
            met.add(problem.path)
            told.append(Problem(problem.path, problem.line, "", _NO_BOX, _WHAT_A_BOX_SAYS))
    return told


def _gather(path: Path, chain: tuple[Path, ...], root: Root) -> _Gathered:
    parsed = read_source(path)
    top = parsed.top
    problems = tuple(parsed.problems)
    strangers = frozenset[Path]() if parsed.is_box else frozenset({path})
    said = top.get("extends") if top else None
    if top is None or said is None or not isinstance(said.content, str) or not said.content:
        return _Gathered(top, problems, strangers=strangers, files=(path,))
    chain = (*chain, real(path))
    parent, problem = _parent(said, chain, root)
    if parent is None:
        more = (problem,) if problem else ()
        return _Gathered(top, (*problems, *more), complete=False, strangers=strangers)
    above = _gather(parent, chain, root)
    problems += above.problems
    strangers |= above.strangers
    if above.top is None:
        return _Gathered(top, problems, complete=False, strangers=strangers)
    merged, files = _merge(above.top, top), (path, *above.files)
    return _Gathered(merged, problems, above.complete, strangers, files)


def _parent(said: Value, chain: tuple[Path, ...], root: Root) -> tuple[Path | None, Problem | None]:
    """The file that `extends` means, or the problem with it."""
    name = str(said.content)
    parent = said.as_path()
    if "/" not in name and not name.endswith(SUFFIXES):
        beside, shipped = (folder / f"{name}.yml" for folder in (parent.parent, data_dir("boxes")))
        parent = beside if not_a_file(beside) is None else shipped
    if (refusal := root.refusal(said, parent)) is not None:
        return None, refusal
    if len(chain) > MAX_CHAIN:
        message = f"more than {MAX_CHAIN} boxes extend each other in a chain"
        return None, said.problem(message, "Put what they say into fewer files")
    if (wrong := not_a_file(parent)) is None:
        parent = real(parent)
        if parent not in chain:
            return parent, None
        circle = " → ".join(short(file) for file in [*chain[chain.index(parent) :], parent])
        return None, said.problem(f"the boxes extend each other in a circle: {circle}")
    absent = wrong == NO_SUCH_FILE  # anything else (a NUL in the name) no folder can be asked about
    siblings = [file.name for file in parent.parent.glob("*.y*ml")] if absent else []
    boxes = [file.stem for file in shipped_boxes()]
    suggestion = near(name, [*siblings, *boxes])
    return None, said.problem(f"no box at {code(name)}: {wrong} ({short(parent)})", suggestion)


def _merge(above: Value, own: Value) -> Value:
    """`own` over `above`: maps are merged, other values replaced; null takes back one above."""
    if not isinstance(above.content, dict) or not isinstance(own.content, dict):
        return own
    content = {key: value for key, value in above.content.items() if key != "extends"}
    for key, value in own.content.items():
        if value.content is None:
            content.pop(key, None)
        else:
            content[key] = _merge(content.get(key, replace(value, content={})), value)
    return replace(own, content=content)


def _validate(gathered: _Gathered, bases: Bases, root: Root) -> tuple[Box | None, list[Problem]]:
    """The box without its wrong parts, and all problems of the whole."""
    said = top = gathered.top
    assert said is not None  # noqa: S101  (for mypy: the caller looked)
    assert top is not None  # noqa: S101
    problems = list(gathered.problems)
    for round_number in range(_ROUNDS):
        try:
            box = Box.model_validate_json(json.dumps(top.plain()))
        except ValidationError as error:
            found = problems_by_place(error, top, Box)
            if round_number == 0:  # later problems are caused by the removed values
                problems += [
                    problem
                    for place, problem in found.items()
                    if gathered.complete or not place.may_be_cured_above
                ]
            top = _without(top, found)
        else:
            context = semantics.BoxContext(
                box, top, said, bases, complete=gathered.complete, root=root
            )
            return box, [*problems, *semantics.problems_of(context)]
    return None, problems


def _without(top: Value, wrong: Iterable[FieldPlace]) -> Value:
    """The tree without its wrong values, so that the rest can be checked."""
    doomed = set[int]()
    for place in wrong:
        if place.loc == ("version",):
            content = top.content if isinstance(top.content, dict) else {}
            top = replace(top, content={**content, "version": replace(top, content=1)})
        else:
            doomed.add(id(top.get(*(place.loc[:-1] if place.missing else place.loc))))
    return _pruned(top, doomed)


def _pruned(value: Value, doomed: set[int]) -> Value:
    if isinstance(value.content, dict):
        kept = {key: item for key, item in value.content.items() if id(item) not in doomed}
        content = {key: _pruned(item, doomed) for key, item in kept.items()}
        return replace(value, content=content)
    if isinstance(value.content, list):
        items = [_pruned(item, doomed) for item in value.content if id(item) not in doomed]
        return replace(value, content=items)
    return value
