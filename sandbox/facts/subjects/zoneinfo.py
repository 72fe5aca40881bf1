"""The table of time zones: where the system has it, and whether R finds one."""

from sandbox.facts.kind import Consequence, Reading, kind_of_machine, kind_of_r
from sandbox.facts.part import FactsPart
from sandbox.facts.r_lines import Fields, any_fields, flags
from sandbox.facts.r_view import RView
from sandbox.facts.shapes import Shape, check_pairs
from sandbox.facts.subject import Facts, ProbeAnswer, RSaid, Subject
from sandbox.probe.frame import Section
from sandbox.probe.readers import plain, word

_ANSWERS = ("yes", "no")


class Zoneinfo(FactsPart):
    """The system's table."""

    place: str | None
    """Where /usr/share/zoneinfo ends; None when there is no such folder."""
    known: bool
    """Whether a usual zone is in it."""


class RZones(FactsPart):
    """The table that R uses."""

    tzdir: str
    """R's variable TZDIR; empty when it is not set."""
    known: bool
    """Whether R finds any zones."""


def _check(section: Section) -> None:
    def place(text: str) -> str:
        return plain(text, "the place of the time zones")

    def known(text: str) -> str:
        return word(text, "whether time zones are known", of=_ANSWERS)

    check_pairs(section, {"zones_at": place, "zones_known": known})


def _parse(answer: ProbeAnswer) -> Zoneinfo | None:
    values = answer.values("zoneinfo")
    if "zones_known" not in values:
        return None
    return Zoneinfo(place=values.get("zones_at"), known=values["zones_known"] == "yes")


def _parse_r(said: RSaid) -> RZones | None:
    if not said.one("zones"):
        return None
    return RZones(tzdir=said.one("tzdir"), known=said.one("zones") == "TRUE")


def _read(facts: Facts) -> Reading:
    found = facts[Zoneinfo]
    return {"": f"{found.place or 'missing'}{'' if found.known else ' (without zones)'}"}


def _read_r(view: RView, _: Facts) -> Reading:
    found = view[RZones]
    place = f" by TZDIR={found.tzdir}" if found.tzdir else ""
    return {"": f"{'found' if found.known else 'not found'}{place}"}


ZONEINFO = Subject(
    name="zoneinfo",
    rank=42,
    takes="path: zones_at\npath empty: tzdir\n=zones_known: yes|no\n",
    part=Zoneinfo,
    sections={"zoneinfo": Shape(_check)},
    parse=_parse,
    r_part=RZones,
    parse_r=_parse_r,
    r_lines={
        "tzdir": Fields(1, 1, any_fields, takes="tzdir"),
        "zones": Fields(1, 1, flags, takes="switch"),
    },
    kinds=(
        kind_of_machine(
            "system.zoneinfo",
            Consequence.ANSWERS,
            165,
            title="the table of time zones",
            how="exact",
            why="without it each time zone is taken for UTC, and nothing fails",
            bug="rstudio/r-docker/pull/1",
            read=_read,
        ),
        kind_of_r(
            "r.zoneinfo",
            Consequence.ANSWERS,
            55,
            title="the table of time zones that R uses",
            how="exact",
            why="R takes a zone that it does not find for UTC, and only warns",
            bug="rocker-org/rocker-versioned2/issues/558",
            read=_read_r,
        ),
    ),
)
