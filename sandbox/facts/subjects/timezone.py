"""The timezone: the system's, and what R takes for it."""

from collections.abc import Iterator, Mapping
from typing import Any

from sandbox.facts.kind import Consequence, Reading, kind_of_machine, kind_of_r
from sandbox.facts.making import Change, Made, Making, Unsaid
from sandbox.facts.part import FactsPart
from sandbox.facts.r_lines import Fields
from sandbox.facts.r_view import RView
from sandbox.facts.shapes import MOST_LINES, Shape, check_pairs
from sandbox.facts.subject import Facts, Hashes, ProbeAnswer, RSaid, Stated, Subject
from sandbox.plan import Plan
from sandbox.probe.frame import Section
from sandbox.probe.readers import plain
from sandbox.probe.untaken import without_hash
from sandbox.spec import texts, words
from sandbox.spec.fits import fits

_ZONEINFO = "/zoneinfo/"


class Timezone(FactsPart):
    """The system's timezone."""

    name: str | None
    """From /etc/localtime's target, else /etc/timezone."""
    localtime_target: str | None
    """What /etc/localtime points to; None when it is a plain file or absent."""
    localtime_is_symlink: bool
    etc_timezone: str | None


def _check(section: Section) -> None:
    def text(value: str) -> str:
        return plain(value, "a time zone")

    kinds = {"target": text, "resolved": text, "etc-timezone": text}
    check_pairs(section, kinds, spill="etc-timezone")


def _parse(answer: ProbeAnswer) -> Timezone:
    values = answer.values("localtime")
    target = values.get("target")
    stated = values.get("etc-timezone") or None
    name = stated
    # The link as it stands: where it ends may be an alias's real name (Etc/UTC is a link itself)
    for path in (target or "", values.get("resolved", "")):
        if _ZONEINFO in path:
            name = path.partition(_ZONEINFO)[2]
            break
    return Timezone(
        name=name,
        localtime_target=target,
        localtime_is_symlink=target is not None,
        etc_timezone=stated,
    )


def _fields(said: RSaid) -> Mapping[str, Any]:
    timezone = said.one("timezone")
    return {
        "timezone": timezone if timezone not in ("", "NA") else None,
        "tz_variable": said.table("environment").get("TZ"),
    }


def of_system(facts: Facts) -> Reading:
    """Return the system's timezone."""
    timezone = facts[Timezone]
    if timezone.name is None:
        return {"": "not set"}
    link = "" if timezone.localtime_is_symlink else " (R cannot tell: no symbolic link)"
    return {"": f"{normal_zone(timezone.name)}{link}"}


def of_r(view: RView, _: Facts) -> Reading:
    """Return the time zone that Sys.timezone() gives."""
    return {"": normal_zone(view.timezone) if view.timezone else "NA"}


def normal_zone(name: str) -> str:
    """Write a time zone in one way: UTC has many names; `Etc/GMT` and `GMT` are one zone, too."""
    bare = name.removeprefix("Etc/")
    return "UTC" if bare in ("UTC", "UCT", "Universal", "Zulu") else bare


def _stated(plan: Plan, _: Hashes) -> Stated:
    zone = normal_zone(plan.system.timezone)
    stated: dict[str, Reading] = {"system.timezone": {"": zone}}
    if plan.r is not None:
        stated["r.timezone"] = {"": zone}
    return stated


_TAKES = "zone: etc-timezone\n"


def choose_timezone(facts: Facts, view: RView | None) -> tuple[str | None, list[str]]:
    """Choose R's own time zone, else the system's."""
    system = facts[Timezone].name
    zone = view.timezone if view is not None and view.timezone else system
    notes = []
    if zone is not None and system is not None and normal_zone(zone) != normal_zone(system):
        notes.append(f"the system's time zone is {system}, and R's is {zone}")
    if not facts[Timezone].localtime_is_symlink:
        notes.append("/etc/localtime is no symbolic link: R may not know its timezone there")
    if zone is None:
        return None, notes
    if not fits(texts.Timezone, zone) or words.unknown_timezone(zone) is not None:
        return None, [*notes, f"the time zone {without_hash(zone)}: the sandbox has the default"]
    return zone, [without_hash(note) for note in notes]


def _makes(facts: Facts, making: Making) -> Iterator[Made]:
    zone, notes = choose_timezone(facts, making.view)
    yield from map(Unsaid, notes)
    if zone is not None:
        yield Change(("system", "timezone"), zone)


TIMEZONE = Subject(
    name="timezone",
    rank=40,
    takes=_TAKES,
    part=Timezone,
    required=True,
    sections={"localtime": Shape(_check, lines=MOST_LINES, required=True)},
    parse=_parse,
    r_lines={"timezone": Fields(1, 1, takes="zone")},
    r_fields=_fields,
    kinds=(
        kind_of_r(
            "r.timezone",
            Consequence.ANSWERS,
            50,
            title="R's timezone",
            how="exact",
            why="the same time stamp is another day's data, and where it is NA, "
            "rounding a time moves it",
            bug="tidyverse/lubridate/issues/619",
            read=of_r,
        ),
        kind_of_machine(
            "system.timezone",
            Consequence.ANSWERS,
            160,
            title="the system's timezone",
            how="exact",
            why="cron jobs, logs and databases stamp other times, and R takes its own from here",
            bug="rocker-org/rocker-versioned/issues/89",
            read=of_system,
        ),
    ),
    stated=_stated,
    makes=_makes,
)
