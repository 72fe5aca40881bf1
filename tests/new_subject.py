"""A subject that sandbox does not have: one Python file, and a fragment of shell and of R."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox.facts import registry, subjects

_PYTHON = '''
"""The phase of the moon, as far as a machine knows it."""

from sandbox.facts.kind import Consequence, Reading, kind_of_machine, kind_of_r
from sandbox.facts.part import FactsPart
from sandbox.facts.r_lines import Fields, named
from sandbox.facts.r_view import RView
from sandbox.facts.shapes import Shape, check_pairs
from sandbox.facts.subject import ProbeAnswer, Facts, RSaid, Stated, Subject
from sandbox.plan import Plan
from sandbox.probe.frame import Section
from sandbox.probe.readers import name


class Moon(FactsPart):
    """The moon over the machine."""

    phase: str


class RMoon(FactsPart):
    """The moon over R."""

    phase: str


def _check(section: Section) -> None:
    check_pairs(section, {"phase": lambda text: name(text, "the phase")})


def _parse(answer: ProbeAnswer) -> Moon | None:
    section = answer.first("moon")
    return Moon(phase=answer.values("moon")["phase"]) if section is not None else None


def _parse_r(said: RSaid) -> RMoon | None:
    return RMoon(phase=said.one("moon")) if said.one("moon") else None


def _read(facts: Facts) -> Reading:
    return {"": facts[Moon].phase}


def _read_r(view: RView, _: Facts) -> Reading:
    return {"": view[RMoon].phase}


def _stated(plan: Plan, _: object) -> Stated:
    return {"moon": {"": "full"}}


MOON = Subject(
    name="moon",
    rank=75,
    takes="=phase: full|waning|new|waxing\\n",
    part=Moon,
    sections={"moon": Shape(_check)},
    parse=_parse,
    r_part=RMoon,
    parse_r=_parse_r,
    r_lines={"moon": Fields(1, 1, named, takes="phase")},
    kinds=(
        kind_of_machine(
            "moon",
            Consequence.BEHAVIOUR,
            5,
            title="the moon",
            how="exact",
            why="owls answer differently",
            bug="owls/owls/issues/1",
            read=_read,
        ),
        kind_of_r(
            "r.moon",
            Consequence.BEHAVIOUR,
            6,
            title="the moon over R",
            how="exact",
            why="owls answer differently",
            bug="owls/owls/issues/2",
            read=_read_r,
        ),
    ),
    stated=_stated,
)
'''
_SHELL = """# shellcheck shell=sh
moon_at_once() {
    section moon
    printf 'phase\\t%s\\n' waning | take pairs
}
"""
_R = """  attempt("moon", say("moon", "waning"))
"""


@contextmanager
def moon(folder: Path) -> Iterator[None]:
    """With that subject in `folder`, nothing else is changed."""
    for ending, text in ((".py", _PYTHON), (".sh", _SHELL), (".R", _R)):
        (folder / f"moon{ending}").write_text(text)
    subjects.__path__.append(str(folder))
    registry.forget()
    try:
        yield
    finally:
        subjects.__path__.remove(str(folder))
        registry.forget()
