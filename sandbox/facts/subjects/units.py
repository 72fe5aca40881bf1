"""What the units of R's servers set, drop-ins included."""

from collections.abc import Iterator
from typing import Final

from sandbox.facts.kind import Consequence, Reading, kind_of_machine
from sandbox.facts.making import Made, Making, Unsaid
from sandbox.facts.part import FactsModel, ListPart
from sandbox.facts.shapes import MOST_LINES, Shape, anything, check_settings
from sandbox.facts.subject import Facts, Subject
from sandbox.facts.unsaid import pairs
from sandbox.probe.frame import Frame, Section
from sandbox.probe.readers import name

# What the kernel and systemd work out for themselves from the size of the machine
_DERIVED = ("TasksMax", "LimitNPROC", "FragmentPath", "MemoryMax")


class UnitSettings(FactsModel):
    """What a service's unit sets, drop-ins included."""

    name: str
    """`shiny-server.service`"""
    settings: dict[str, str]
    """`User`, `LimitNOFILE`, `Environment` (redacted), …"""


class Units(ListPart[UnitSettings]):
    """Those of the services that run R for people."""


def _check(section: Section) -> None:
    name(section.args[0], "a unit's name")
    check_settings(section)


def _parse(frame: Frame) -> Units | None:
    """What the units of R's servers set."""
    if frame.first("units") is None:
        return None
    return Units(
        tuple(
            UnitSettings(
                name=section.args[0],
                settings={key: value for key, value in section.pairs() if value},
            )
            for section in frame.all("unit")
        )
    )


def _read(facts: Facts) -> Reading:
    """What the units of R's servers set."""
    return {
        f"{unit.name.removesuffix('.service')}.{key}": value
        for unit in facts.get(Units) or ()
        for key, value in unit.settings.items()
        if key not in _DERIVED
    }


_OF_A_UNIT: Final[tuple[str, ...]] = (
    *("User", "Group", "EnvironmentFiles", "LimitNOFILE", "LimitNPROC", "MemoryMax", "TasksMax"),
    *("UMask", "PrivateTmp", "NoNewPrivileges", "ProtectSystem", "ProtectHome", "Nice"),
)


def _makes(facts: Facts, _: Making) -> Iterator[Made]:
    for unit in facts.get(Units) or ():
        if "DropInPaths" in unit.settings:
            own = {key: unit.settings[key] for key in _OF_A_UNIT if key in unit.settings}
            yield Unsaid(f"{unit.name} is changed by {unit.settings['DropInPaths']}: {pairs(own)}")


UNITS = Subject(
    name="units",
    rank=200,
    part=Units,
    sections={
        "unit": Shape(_check, (1, 1), many=True, once_each=True, lines=MOST_LINES),
        "units": Shape(anything),
    },
    parse=_parse,
    kinds=(
        kind_of_machine(
            "unit",
            Consequence.BEHAVIOUR,
            30,
            title="what a service's unit sets",
            how="exact",
            why="limits and protections of the unit hold for every app",
            bug="rstudio/shiny-server/issues/480",
            read=_read,
        ),
    ),
    makes=_makes,
)
