"""Read a workshop file, its box and its roster, and report all that is wrong at once."""

from dataclasses import dataclass, replace
from pathlib import Path

from sandbox.errors import UsageError
from sandbox.plain_file import not_a_file
from sandbox.spec.bases import Bases
from sandbox.spec.catalogue import find_box
from sandbox.spec.extending import SUFFIXES, gather, shown
from sandbox.spec.file_kind import WORKSHOP_FILE, WORKSHOP_SUFFIX
from sandbox.spec.load import LoadedBox, load_box
from sandbox.spec.problem import InvalidBoxError, Problem, box_error, code
from sandbox.spec.root import Root
from sandbox.spec.roster import Person, read_roster
from sandbox.spec.source import Value
from sandbox.spec.valid_part import valid_part
from sandbox.spec.workshop import Workshop
from sandbox.spec.workshop_semantics import WorkshopContext, problems_of


@dataclass(frozen=True)
class LoadedWorkshop:
    """A valid workshop, its box and its people."""

    name: str
    """The file's name without its ending."""
    path: Path
    workshop: Workshop
    box: LoadedBox
    people: tuple[Person, ...]
    """From the roster; empty when the file only says how many seats there are."""
    top: Value
    root: Root

    @property
    def seats(self) -> int:
        """How many seats there are for people; spare ones apart."""
        return len(self.people) or self.workshop.seats or 0

    @property
    def spare(self) -> int:
        """How many seats are ready for people who are not known."""
        return self.workshop.spare_for(self.seats)

    def file_at(self, *loc: str | int) -> Path:
        """Resolve the path in the file at `loc`: relative to the file that says it.

        Raises:
            InvalidBoxError: the path now leads out of the workshop's root.
        """
        return self.root.file_named(self.top, loc, self.path)


@dataclass(frozen=True)
class ExaminedWorkshop:
    """A workshop file, valid or not."""

    path: Path
    loaded: LoadedWorkshop | None
    problems: tuple[Problem, ...] = ()


def examine_workshop(
    path: Path, *, bases: Bases | None = None, root: Path | None = None
) -> ExaminedWorkshop:
    """Load a workshop file; its problems are part of the answer."""
    try:
        return ExaminedWorkshop(path, load_workshop(path, bases=bases, root=root))
    except InvalidBoxError as error:
        return ExaminedWorkshop(path, None, error.problems)


def load_workshop(
    path: Path, *, bases: Bases | None = None, root: Path | None = None
) -> LoadedWorkshop:
    """Read, merge and validate a workshop file, its roster and its box.

    Args:
        path: the workshop file.
        bases: the bases that boxes start from; our own when None.
        root: the folder that the workshop may read, where the user named one.

    Raises:
        InvalidBoxError: anything is wrong with it; `problems` has everything.
        UsageError: the file does not lie in `root`.
    """
    path = path.absolute()
    its_root = Root.of(path, root)
    gathered = gather(path, its_root, WORKSHOP_FILE)
    if gathered.top is None:
        raise box_error(shown(gathered, WORKSHOP_FILE), path)
    workshop, top, problems = valid_part(gathered, Workshop)
    box: LoadedBox | None = None
    people: tuple[Person, ...] = ()
    if workshop is not None:
        box, of_box = _box(top, its_root, bases, root)
        people, of_roster = _people(top, its_root)
        context = WorkshopContext(workshop, top, gathered.top, gathered.complete, its_root, people)
        problems += [*of_box, *of_roster, *problems_of(context)]
    if problems or workshop is None or box is None:
        everything = replace(gathered, problems=tuple(problems))
        raise box_error(shown(everything, WORKSHOP_FILE), path)
    name = path.name.removesuffix(WORKSHOP_SUFFIX).removesuffix(".yml")
    return LoadedWorkshop(name, path, workshop, box, people, top, its_root)


def _box(
    top: Value, root: Root, bases: Bases | None, named: Path | None
) -> tuple[LoadedBox | None, list[Problem]]:
    said = top.get("box")
    if said is None or not isinstance(said.content, str):
        return None, []
    is_name = "/" not in said.content and not said.content.endswith(SUFFIXES)
    try:
        path = find_box(said.content, cwd=said.source.path.parent) if is_name else said.as_path()
    except UsageError as error:
        return None, [said.problem(f"there is no box {code(said.raw)}", error.hint)]
    if not is_name and (refusal := root.refusal(said)) is not None:
        return None, [refusal]
    if (wrong := not_a_file(path)) is not None:
        return None, [said.problem(f"no box at {code(said.raw)}: {wrong}")]
    try:
        return load_box(path, bases=bases, root=None if is_name else named), []
    except InvalidBoxError as error:
        return None, list(error.problems)


def _people(top: Value, root: Root) -> tuple[tuple[Person, ...], list[Problem]]:
    said = top.get("roster")
    if said is None or not isinstance(said.content, str):
        return (), []
    if (refusal := root.refusal(said)) is not None:
        return (), [refusal]
    if (wrong := not_a_file(said.as_path())) is not None:
        return (), [said.problem(f"no roster at {code(said.raw)}: {wrong}")]
    people, problems = read_roster(said.as_path())
    return people, list(problems)
