"""APIs of plumber that systemd runs: which file, on which port, as whom."""

from collections.abc import Iterator

from sandbox.facts.making import Made, Making, few
from sandbox.facts.part import FactsModel, ListPart
from sandbox.facts.shapes import Shape, rows
from sandbox.facts.subject import Facts, ProbeAnswer, Subject
from sandbox.probe.readers import name, plain, row


class SeenApi(FactsModel):
    """A unit that runs plumber."""

    unit: str
    user: str
    """Empty for root."""
    folder: str
    """The working folder; empty when the unit does not say it."""
    file: str
    """The R file of its command, as it stands there; empty when there is none."""
    port: str
    """As the command says it; empty when it does not."""


class SeenApis(ListPart[SeenApi]):
    """In the order of their units' files."""


def _check(line: str) -> None:
    unit, *others = row(line, "a unit of plumber's", least=5, most=5)
    name(unit, "a unit's name")
    for one in others:
        plain(one, "what a unit of plumber's says")


def _parse(answer: ProbeAnswer) -> SeenApis | None:
    section = answer.first("apis")
    if section is None:
        return None
    found = [line.split("\t") for line in section.lines if line]
    return SeenApis(
        tuple(
            SeenApi(unit=unit, user=user, folder=folder, file=file, port=port)
            for unit, user, folder, file, port in found
        )
    )


def _makes(facts: Facts, _: Making) -> Iterator[Made]:
    """The files of an API stay on the server, and a box that names missing ones is wrong."""
    yield from few([_note(one) for one in facts.get(SeenApis) or ()])


def _note(one: SeenApi) -> str:
    place = one.file if one.file.startswith("/") else f"{one.folder}/{one.file}".rstrip("/")
    port = f", port: {one.port}" if one.port.isdecimal() else ""
    file = one.file.rpartition("/")[2]
    other = f", file: {file}" if file not in {"", "plumber.R"} else ""
    return (
        f"the API of {one.unit} ({place}, run as {one.user or 'root'}): copy its folder beside "
        f"this box, and add under `services:` plumber: {{path: FOLDER{other}{port}}}"
    )


APIS = Subject(
    name="apis",
    rank=134,
    takes="path file: api_file\n=api_port: [0-9]{1,5}\n",
    part=SeenApis,
    sections={"apis": Shape(rows(_check), lines=100)},
    parse=_parse,
    makes=_makes,
)
