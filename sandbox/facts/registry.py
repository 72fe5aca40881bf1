"""Which subjects there are: every module in `subjects/` that has one, in the order of their ranks.

Nothing here, and nothing elsewhere, names them.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType

from pydantic import BaseModel

from sandbox.facts import subjects as package
from sandbox.facts.facts import Facts
from sandbox.facts.kind import Consequence, FactKind
from sandbox.facts.making import Made, Making
from sandbox.facts.r_lines import Fields
from sandbox.facts.shapes import OF_THE_ANSWER, Shape
from sandbox.facts.subject import Subject
from sandbox.probe.script import Fragments, Shell

_LATE = "_late"
"""At the end of the name of a fragment of R that runs when all the rest was told."""


@cache
def subjects() -> tuple[Subject, ...]:
    """List all subjects, in order."""
    found = [one for module in _modules() for one in _of(module)]
    return tuple(sorted(found, key=lambda one: (one.rank, one.name)))


@cache
def kinds() -> tuple[FactKind, ...]:
    """List every kind of fact that is compared, in the order in which they are shown."""
    order = list(Consequence)
    found = [kind for subject in subjects() for kind in subject.kinds]
    return tuple(sorted(found, key=lambda one: (order.index(one.consequence), one.rank, one.id)))


def kind(id_: str) -> FactKind:
    """Find the kind of that id.

    Raises:
        LookupError: there is none.
    """
    for one in kinds():
        if one.id == id_:
            return one
    raise LookupError(f"there is no kind of facts `{id_}`")


def made(facts: Facts, making: Making) -> tuple[Made, ...]:
    """Gather what each subject says of a box that makes a machine like this one."""
    say = (one.makes for one in subjects() if one.makes is not None)
    return tuple(found for makes in say for found in makes(facts, making))


@cache
def names_of_parts() -> Mapping[str, str]:
    """Map the id of each kind to the name of the part of the machine that it is of."""
    of_machine = (one for one in subjects() if one.part is not None)
    return {kind.id: one.name for one in of_machine for kind in one.kinds}


@cache
def machine_parts() -> Mapping[str, type[BaseModel]]:
    """Name in the JSON to what is known of the machine."""
    return {one.name: one.part for one in subjects() if one.part is not None}


@cache
def required_parts() -> frozenset[str]:
    """Return the names of the parts that every machine has."""
    return frozenset(one.name for one in subjects() if one.required)


@cache
def r_parts() -> Mapping[str, type[BaseModel]]:
    """Name in the JSON to what is known of each R."""
    return {one.name: one.r_part for one in subjects() if one.r_part is not None}


@cache
def sections() -> Mapping[str, Shape]:
    """Return the shape of every section of the probe's answer."""
    found = dict(OF_THE_ANSWER)
    for one in subjects():
        found |= one.sections
    return found


@cache
def r_lines() -> Mapping[str, Fields]:
    """Return the fields of every kind of line that R says."""
    return {kind: fields for one in subjects() for kind, fields in one.r_lines.items()}


@cache
def fragments() -> Fragments:
    """Gather the parts of the probe that are a subject's."""
    return Fragments(
        shell=tuple(Shell(name, text) for name, text in _texts(".sh")),
        r=tuple(text for _, text in _texts(".R")),
        r_late=tuple(text for _, text in _texts(f"{_LATE}.R")),
        names="".join(one.takes for one in subjects()),
        modes=tuple(text for _, text in _texts(".awk")),
        r_fields={kind: fields.takes for kind, fields in r_lines().items() if fields.takes},
    )


def _texts(ending: str) -> Iterator[tuple[str, str]]:
    for module in _modules():
        stem = module.__name__.rpartition(".")[2]
        path = Path(str(module.__file__)).with_name(f"{stem}{ending}")
        if path.exists():
            yield stem, path.read_text(encoding="ascii")


@cache
def _modules() -> tuple[ModuleType, ...]:
    """Those with a subject, by the rank of their first."""
    names = sorted(one.name for one in iter_modules(package.__path__))
    modules = [import_module(f"{package.__name__}.{name}") for name in names]
    with_subjects = [one for one in modules if _of(one)]
    return tuple(sorted(with_subjects, key=lambda one: min(s.rank for s in _of(one))))


def _of(module: ModuleType) -> list[Subject]:
    return [one for one in vars(module).values() if isinstance(one, Subject)]


_ASKED_ONCE = (
    subjects, kinds, names_of_parts, machine_parts, required_parts, r_parts, sections, r_lines,
    fragments, _modules,
)  # fmt: skip


def forget() -> None:
    """Look again at the next question: for a test that adds a subject."""
    for question in _ASKED_ONCE:
        question.cache_clear()
