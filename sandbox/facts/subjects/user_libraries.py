"""R packages in people's own libraries, as far as they could be read."""

from collections.abc import Iterator

from sandbox.facts.kind import Consequence, Reading, kind_of_machine
from sandbox.facts.making import Made, Making, Unsaid, some
from sandbox.facts.part import FactsModel, ListPart
from sandbox.facts.shapes import Shape, rows
from sandbox.facts.subject import Facts, Subject
from sandbox.probe.frame import Frame
from sandbox.probe.readers import path, plain, row


class UserPackage(FactsModel):
    """An R package in somebody's own library."""

    user: str
    name: str
    version: str
    library: str


class UserLibraries(ListPart[UserPackage]):
    """Those of everybody."""


def _check(line: str) -> None:
    fields = row(line, "a package in somebody's library", least=4, most=4)
    for one in fields[:3]:
        plain(one, "a package in somebody's library")
    path(fields[3], "the path of somebody's library")


def _parse(frame: Frame) -> UserLibraries:
    """R packages in people's own libraries."""
    found = [line.split("\t") for line in frame.lines("user-libraries")]
    return UserLibraries(
        tuple(
            UserPackage(user=fields[0], name=fields[1], version=fields[2], library=fields[3])
            for fields in found
            if len(fields) == 4  # noqa: PLR2004  (as the fragment prints them)
        )
    )


def _read(facts: Facts) -> Reading:
    """R packages in people's own libraries; who they are does not count."""
    return {"": frozenset(f"{one.name} {one.version}" for one in facts.get(UserLibraries) or ())}


def _makes(facts: Facts, _: Making) -> Iterator[Made]:
    found = [f"{one.name} {one.version} ({one.user})" for one in facts.get(UserLibraries) or ()]
    if found:
        yield Unsaid(f"people's own libraries: {some(found)}")


USER_LIBRARIES = Subject(
    name="user_libraries",
    rank=210,
    part=UserLibraries,
    sections={"user-libraries": Shape(rows(_check))},
    parse=_parse,
    kinds=(
        kind_of_machine(
            "libraries.people",
            Consequence.ANSWERS,
            90,
            title="R packages in people's own libraries",
            how="set",
            why="their owners run other versions than everybody else, and only their code differs",
            bug="eddelbuettel/r2u/issues/30",
            read=_read,
        ),
    ),
    makes=_makes,
)
