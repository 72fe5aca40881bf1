"""The drivers that unixODBC knows."""

from sandbox.facts.kind import Consequence, Reading, kind_of_machine
from sandbox.facts.part import FactsModel, ListPart
from sandbox.facts.shapes import MOST_LINES, Shape, check_name, check_settings, rows
from sandbox.facts.subject import Facts, Subject
from sandbox.probe.frame import Frame

_NO_DRIVERS = ("ODBC", "ODBC Drivers")


class OdbcDriver(FactsModel):
    """A section of odbcinst.ini."""

    name: str
    library: str
    """What `Driver` says: a path, or a bare file name that the loader looks for."""
    library_found: bool | None
    """Whether a library given by its path is there; None for a bare name."""


class OdbcDrivers(ListPart[OdbcDriver]):
    """Every section of odbcinst.ini."""


def _parse(frame: Frame) -> OdbcDrivers | None:
    """The drivers that unixODBC knows."""
    section = frame.first("odbcinst")
    if section is None:
        return None
    there = set(frame.lines("odbc-libraries"))
    found = []
    for key, library in section.pairs():
        name, _, setting = key.rpartition(".")
        if name and setting.lower() == "driver" and name not in _NO_DRIVERS:
            known = (library in there) if library.startswith("/") else None
            found.append(OdbcDriver(name=name, library=library, library_found=known))
    return OdbcDrivers(tuple(sorted(found, key=lambda one: one.name)))


def _read(facts: Facts) -> Reading:
    """ODBC drivers."""
    words = {True: "", False: " (the file is not there)", None: ""}
    return {
        one.name: f"{one.library}{words[one.library_found]}" for one in facts.get(OdbcDrivers) or ()
    }


ODBC = Subject(
    name="odbc_drivers",
    rank=160,
    part=OdbcDrivers,
    sections={
        "odbcinst": Shape(check_settings, (0, 1), lines=MOST_LINES),
        "odbc-libraries": Shape(rows(check_name)),
    },
    parse=_parse,
    kinds=(
        kind_of_machine(
            "odbc",
            Consequence.FAILS,
            160,
            title="an ODBC driver",
            how="exact",
            why="dbConnect() finds no driver of that name, or cannot open its library",
            bug="r-dbi/odbc/issues/356",
            read=_read,
        ),
    ),
)
