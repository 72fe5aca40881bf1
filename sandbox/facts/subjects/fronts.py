"""What nginx hands on to other servers: from which port and path, to which address."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sandbox.facts.kind import Consequence, Reading, kind_of_machine
from sandbox.facts.making import Made, Making, Unsaid, few
from sandbox.facts.part import FactsModel, ListPart
from sandbox.facts.shapes import Shape, rows
from sandbox.facts.subject import Facts, ProbeAnswer, Subject
from sandbox.probe.readers import path, plain, row, word

_WORDS: Final = ("server", "listen", "location", "proxy")
_HERE: Final = re.compile(r"http://(?:127[.]0[.]0[.]1|localhost|\[::1\]):(?P<port>[0-9]{1,5})/?")
_MOST_PORT: Final = 65535


class HandedOn(FactsModel):
    """A place whose requests nginx hands on."""

    file: str
    listens: tuple[str, ...]
    """As they stand there: `80`, `[::]:443`."""
    location: str
    """`/rstudio/`; empty for one that is an expression."""
    to: str
    """`http://127.0.0.1:8787`; a placeholder when it is not plain."""


class Fronts(ListPart[HandedOn]):
    """Every place, in the order of the files."""


@dataclass(frozen=True)
class Front:
    """Where people find a server that is behind nginx."""

    port: int
    path: str
    """Without a slash at the end: `/rstudio`; `/` for all of nginx's server."""


def front_of(facts: Facts, port: int) -> Front | None:
    """Tell at which port and path nginx hands on to a port of the same machine.

    None where it does not, or does so in more than one place.
    """
    found = [
        Front(listened, one.location.rstrip("/") or "/")
        for one in facts.get(Fronts) or ()
        if _own_port(one.to) == port and (listened := _listened(one)) is not None and one.location
    ]
    return found[0] if len(set(found)) == 1 else None


def _own_port(address: str) -> int | None:
    found = _HERE.fullmatch(address)
    return int(found["port"]) if found is not None else None


def _listened(one: HandedOn) -> int | None:
    """The port of nginx's server; None where it has several, or one with a certificate."""
    ports = {text.rpartition(":")[2] for text in one.listens} or {"80"}
    (port, *others) = ports
    is_plain = port.isdecimal() and 0 < int(port) <= _MOST_PORT and port != "443"
    return int(port) if is_plain and not others else None


def _check(line: str) -> None:
    file, what, value = row(line, "a place of nginx's", least=3, most=3)
    path(file, "a file of nginx's")
    word(what, "a statement of nginx's", of=_WORDS)
    plain(value, "what a statement of nginx's says")


def _parse(answer: ProbeAnswer) -> Fronts | None:
    section = answer.first("fronts")
    return Fronts(tuple(_places(section.lines))) if section is not None else None


def _places(lines: tuple[str, ...]) -> Iterator[HandedOn]:
    listens: list[str] = []
    found: list[tuple[str, list[str], str, str]] = []
    location = ""
    for line in filter(None, lines):
        file, what, value = line.split("\t")
        if what == "server":
            listens, location = [], ""
        elif what == "listen":
            listens.append(value)
        elif what == "location":
            location = value
        else:
            found.append((file, listens, location, value))
    for file, of_server, place, to in found:
        yield HandedOn(file=file, listens=tuple(of_server), location=place, to=to)


def _read(facts: Facts) -> Reading:
    found: dict[str, list[str]] = {}
    for one in facts.get(Fronts) or ():
        listened = "+".join(one.listens) or "80"
        found.setdefault(f"{listened}{one.location}", []).append(one.to)
    return {place: ", ".join(to) for place, to in found.items()}


def _makes(facts: Facts, _: Making) -> Iterator[Made]:
    """What no box says: all but one place for each server of this machine."""
    notes = [
        f"{one.file}: nginx hands {one.location or 'an expression'} on to {one.to}"
        for one in facts.get(Fronts) or ()
        if (port := _own_port(one.to)) is None or front_of(facts, port) is None
    ]
    yield from few(notes)
    listens = {text for one in facts.get(Fronts) or () for text in one.listens}
    if any(text.rpartition(":")[2] == "443" for text in listens):
        yield Unsaid("nginx has a certificate: the sandbox's answers without one")


FRONTS = Subject(
    name="fronts",
    rank=132,
    takes="=front: server|listen|location|proxy\n"
    "path url: front_value\n"
    "=front_value: (([0-9]{1,3}[.][0-9]{1,3}[.][0-9.]{3,7}|[*]|\\[::\\]):)?[0-9]{1,5}\n",
    part=Fronts,
    sections={"fronts": Shape(rows(_check), lines=1000)},
    parse=_parse,
    kinds=(
        kind_of_machine(
            "front",
            Consequence.BEHAVIOUR,
            48,
            title="a place that nginx hands on",
            how="exact",
            why="people's addresses lead to another server, or nowhere",
            bug="rstudio/rstudio/issues/15749",
            read=_read,
        ),
    ),
    makes=_makes,
)
