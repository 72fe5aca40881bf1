"""The fonts in the system's folders."""

from sandbox.facts.kind import Consequence, Reading, kind_of_machine
from sandbox.facts.part import ListPart
from sandbox.facts.shapes import Shape, check_name, rows
from sandbox.facts.subject import Facts, Subject
from sandbox.probe.frame import Frame


class Fonts(ListPart[str]):
    """File names of fonts, sorted."""


def _parse(frame: Frame) -> Fonts | None:
    """File names of fonts."""
    section = frame.first("fonts")
    return Fonts(tuple(line for line in section.lines if line)) if section is not None else None


def _read(facts: Facts) -> Reading:
    """Font files."""
    return {"": frozenset(facts.get(Fonts) or ())}


FONTS = Subject(
    name="fonts",
    rank=170,
    part=Fonts,
    sections={"fonts": Shape(rows(check_name))},
    parse=_parse,
    kinds=(
        kind_of_machine(
            "fonts",
            Consequence.FAILS,
            180,
            title="the fonts",
            how="set",
            why="text in plots is drawn in another font, or as boxes",
            bug="rocker-org/rocker/issues/204",
            read=_read,
        ),
    ),
)
