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


_TAKES = (
    "=font: [A-Za-z]+[0-9]{0,3}[A-Za-z]{0,3}[0-9]{0,2}([ _.,+-]([A-Za-z]+[0-9]{0,3}"
    r"|[0-9]{1,3}[a-z]{0,2}))*(\[[a-z,A-Z]+\])?[.](ttf|otf|ttc|otc|pfb|pfa|t1|TTF|OTF"
    "|PFB|PFA)\n"
)
FONTS = Subject(
    name="fonts",
    rank=170,
    takes=_TAKES,
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
