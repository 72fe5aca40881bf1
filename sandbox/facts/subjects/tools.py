"""The programs that R packages call."""

from collections.abc import Mapping
from typing import Any

from sandbox.facts.kind import CannotReadError, Consequence, Reading, kind_of_machine
from sandbox.facts.part import FactsModel, ListPart
from sandbox.facts.r_lines import Fields, named
from sandbox.facts.shapes import Shape, rows
from sandbox.facts.subject import Facts, RSaid, Subject
from sandbox.facts.subjects.packages import PACKAGE
from sandbox.probe.frame import Frame
from sandbox.probe.readers import name, path, row


class Program(FactsModel):
    """A program that R packages call."""

    name: str
    """`pandoc`, `java`, `python3`"""
    path: str
    version: str | None
    """As it says itself; None when it says nothing that looks like a version."""


class Programs(ListPart[Program]):
    """Those that are there."""


def _check(line: str) -> None:
    tool, place, _ = row(line, "a program, its path and its words", least=3, most=3)
    name(tool, "a program", pattern=PACKAGE)
    path(place, "a program's path")


def _parse(frame: Frame) -> Programs | None:
    """The programs that R packages call."""
    section = frame.first("tools")
    if section is None:
        return None
    found = [line.split("\t") for line in section.lines if line.count("\t") == 2]  # noqa: PLR2004
    return Programs(
        tuple(Program(name=name, path=place, version=said or None) for name, place, said in found)
    )


def _fields(said: RSaid) -> Mapping[str, Any]:
    return {"programs": said.table("program")}


def _read(facts: Facts) -> Reading:
    """Programs that packages call, with their versions."""
    found = facts.get(Programs)
    if found is None:
        raise CannotReadError("these facts are of an older probe")
    return {one.name: one.version or "unknown" for one in found}


_TAKES = (
    "=tool: pandoc|quarto|pdflatex|xelatex|java|python3?|gcc|g[+][+]|gfortran|make|git"
    "|curl|chromium|google-chrome\n"
)
TOOLS = Subject(
    name="tools",
    rank=150,
    takes=_TAKES,
    part=Programs,
    sections={"tools": Shape(rows(_check))},
    parse=_parse,
    r_lines={"program": Fields(2, 2, named, takes="tool,path")},
    r_fields=_fields,
    kinds=(
        kind_of_machine(
            "tool",
            Consequence.FAILS,
            170,
            title="a program that R packages call",
            how="version",
            why="reports do not render, or look different, with another pandoc; rJava "
            "needs its own Java",
            bug="rstudio/shiny/issues/1407",
            read=_read,
        ),
    ),
)
