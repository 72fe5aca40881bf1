"""The locale: what logins are given, and what R takes from it for texts, dates and numbers."""

import re
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from sandbox.facts.kind import Consequence, Reading, kind_of_machine, kind_of_r
from sandbox.facts.making import Change, Made, Making, Unsaid
from sandbox.facts.part import FactsPart
from sandbox.facts.planned import PlannedForAll
from sandbox.facts.r_lines import Fields, flags, named
from sandbox.facts.r_view import L10n, RView
from sandbox.facts.shapes import MOST_LINES, Shape, check_name, check_settings, rows
from sandbox.facts.subject import Facts, Hashes, ProbeAnswer, RSaid, Stated, Subject
from sandbox.facts.subjects.r import r_view
from sandbox.plan import Plan
from sandbox.probe.frame import Section
from sandbox.probe.readers import path, plain
from sandbox.probe.untaken import without_hash
from sandbox.spec import texts, words
from sandbox.spec.fits import fits

FROM_LANG = ("LC_CTYPE", "LC_COLLATE", "LC_TIME", "LC_MONETARY", "LC_MESSAGES")
"""What R sets from LANG; it keeps LC_NUMERIC at C by itself."""
_COMPARED = (*FROM_LANG, "LC_NUMERIC")


class SystemLocale(FactsPart):
    """The locale that logins are given."""

    settings: dict[str, str]
    """/etc/default/locale (or /etc/locale.conf): LANG, LC_…"""
    available: tuple[str, ...] | None
    """`locale -a`, sorted."""


def _locale_settings(section: Section) -> None:
    for arg in section.args:
        path(arg, "the path of the locale's settings")
    check_settings(section)


def _parse(answer: ProbeAnswer) -> SystemLocale:
    settings: dict[str, str] = {}
    for section in answer.all("locale-settings"):
        settings |= dict(section.pairs())
    listed = answer.first("locales")
    return SystemLocale(
        settings=settings,
        available=tuple(sorted(line for line in listed.lines if line)) if listed else None,
    )


def assignments(lines: Sequence[str]) -> dict[str, str]:
    """Parse `NAME="value"` lines, as in os-release and /etc/default/locale."""
    found: dict[str, str] = {}
    for line in lines:
        name, equals, value = line.strip().partition("=")
        if not equals or name.startswith("#"):
            continue
        # A stray quote: take the value as it stands
        words = [value]
        with suppress(ValueError):
            words = shlex.split(value, comments=True)
        found[name.removeprefix("export ").strip()] = " ".join(words)
    return found


def _check_l10n(fields: tuple[str, ...], kind: str) -> None:
    flags(fields[:3], kind)
    plain(fields[3], kind)


def _l10n(said: RSaid) -> L10n:
    rows = said.rows("l10n")
    multibyte, utf8, latin1, codeset = rows[0] if rows else ("", "", "", "")
    return L10n(
        multibyte=multibyte == "TRUE",
        utf8=utf8 == "TRUE",
        latin1=latin1 == "TRUE",
        codeset=codeset or None,
    )


def _fields(said: RSaid) -> Mapping[str, Any]:
    return {"locale": said.table("locale"), "l10n": _l10n(said)}


def of_system(facts: Facts) -> Reading:
    """Return the LANG and LC_… that logins and servers are given."""
    return {
        name: normal_locale(value)
        for name, value in facts[SystemLocale].settings.items()
        if name == "LANG" or name.startswith("LC_")
    }


def of_r(view: RView, _: Facts) -> Reading:
    """Return R's locale in the categories that change results."""
    return {name: normal_locale(view.locale[name]) for name in _COMPARED if name in view.locale}


def normal_locale(name: str) -> str:
    """Write a locale in one way: `en_US.UTF-8` and `en_US.utf8` are the same one."""
    return re.sub(r"\.utf-?8$", ".UTF-8", name, flags=re.IGNORECASE)


def encoding(view: RView, _: Facts) -> Reading:
    """Name the encoding in which R takes text."""
    return {"": "UTF-8" if view.l10n.utf8 else "Latin-1" if view.l10n.latin1 else "not UTF-8"}


def _stated(plan: Plan, _: Hashes) -> Stated:
    locale = normal_locale(plan.system.locale)
    # Whatever else is set there overrides LANG
    stated: dict[str, Reading] = {"system.locale": PlannedForAll({"LANG": locale}, rest=locale)}
    if plan.r is not None:
        stated["r.locale"] = dict.fromkeys(FROM_LANG, locale)
        if locale.endswith(".UTF-8"):
            stated["r.encoding"] = {"": "UTF-8"}
    return stated


_TAKES = "=category: LC_(CTYPE|COLLATE|TIME|NUMERIC|MONETARY|MESSAGES|PAPER|MEASUREMENT)\n"
_LOCALE = re.compile(r"(C|POSIX|[A-Za-z]{2,3}_[A-Za-z]{2})(?:\.([A-Za-z0-9_-]+))?(@[a-z]+)?")
_ISO = re.compile(r"iso-?8859-?([0-9]{1,2})", re.IGNORECASE)


Found = tuple[str | None, list[str]]
"""What the box says, and the comments about it."""


def choose_locale(facts: Facts, view: RView | None) -> Found:
    """Choose the locale in which R runs, else the one that logins are given."""
    settings = facts[SystemLocale].settings
    given = settings.get("LC_ALL") or settings.get("LC_CTYPE") or settings.get("LANG") or ""
    seen = _seen(view) if view is not None else {}
    if not seen:
        others = {k: v for k, v in settings.items() if k.startswith("LC_") and v != given}
        return _said(given, others) if given else (None, [])
    main = _most(seen)
    others = {name: one for name, one in seen.items() if one != main}
    locale, notes = _said(main, others)
    if main in ("C", "POSIX"):
        if not given:
            notes.append("no LANG is set: logins and apps there run in the locale C")
        elif given not in ("C", "POSIX"):
            notes.append(f"the locale {given} is set, and R runs in C: it may not be there")
    app = r_view(facts, "shiny")
    if app is not None and app is not view and (of_app := _most(_seen(app))) not in ("", main):
        notes.append(f"R inside an app runs in the locale {of_app}, and in a login in {main}")
    return locale, [without_hash(note) for note in notes]


def _seen(view: RView) -> dict[str, str]:
    # LC_NUMERIC is C in every R
    found = {name: view.locale.get(name, "") for name in FROM_LANG}
    return {name: normal_locale(one) for name, one in found.items() if one not in ("", "NA")}


def _most(seen: dict[str, str]) -> str:
    """What most categories have; of two alike, the first."""
    return Counter(seen.values()).most_common(1)[0][0] if seen else ""


def _said(name: str, others: dict[str, str]) -> Found:
    notes = []
    if others:
        pairs = ", ".join(f"{key}={one}" for key, one in sorted(others.items()))
        notes.append(f"single categories of the locale: {pairs}")
    locale = box_locale(name)
    if locale is None or normal_locale(name) != locale:
        instead = f"{locale} in its place" if locale else "the sandbox has the default"
        if locale is None or not _is_same(name, locale):
            notes.append(f"the locale {name}: {instead}")
    return locale, notes


def box_locale(name: str) -> str | None:
    """Write a locale as a box says it, `en_US.UTF-8` for en_US.utf8, or the nearest one it can."""
    found = _LOCALE.fullmatch(name)
    if found is None:
        return None
    language, charset, modifier = found[1], found[2] or "", found[3] or ""
    if "_" in language:
        head, _, country = language.partition("_")
        language = f"{head.lower()}_{country.upper()}"
    for one in (f"{language}{_charset(charset)}{modifier}", f"{language}.UTF-8"):
        if words.wrong_locale(one) is None and fits(texts.Locale, one):
            return one
    return None


def _charset(text: str) -> str:
    if not text:
        return ""
    if text.lower().replace("-", "") == "utf8":
        return ".UTF-8"
    iso = _ISO.fullmatch(text)
    return f".ISO-8859-{iso[1]}" if iso else f".{text.upper()}"


def _is_same(name: str, locale: str) -> bool:
    def bare(text: str) -> str:
        return re.sub(r"[-.]", "", text).lower()

    return bare(name) == bare(locale)


def _makes(facts: Facts, making: Making) -> Iterator[Made]:
    locale, notes = choose_locale(facts, making.view)
    yield from map(Unsaid, notes)
    if locale is not None:
        yield Change(("system", "locale"), locale)


LOCALE = Subject(
    name="locale",
    rank=30,
    takes=_TAKES,
    part=SystemLocale,
    required=True,
    sections={
        "locales": Shape(rows(check_name)),
        "locale-settings": Shape(_locale_settings, (0, 1), many=True, lines=MOST_LINES),
    },
    parse=_parse,
    r_lines={
        "locale": Fields(2, 2, named, takes="category,locale"),
        "l10n": Fields(4, 4, _check_l10n, takes="switch,switch,switch,charset"),
    },
    r_fields=_fields,
    kinds=(
        kind_of_r(
            "r.locale",
            Consequence.ANSWERS,
            30,
            title="R's locale",
            how="exact",
            why="the same code sorts, parses and prints in another way: in C, B comes before a",
            bug="tidyverse/dplyr/issues/3737",
            read=of_r,
        ),
        kind_of_r(
            "r.encoding",
            Consequence.ANSWERS,
            40,
            title="what R takes text for",
            how="exact",
            why="letters beyond ASCII are garbled in files, in databases and on the page",
            bug="rocker-org/rocker-versioned2/issues/397",
            read=encoding,
        ),
        kind_of_machine(
            "system.locale",
            Consequence.ANSWERS,
            170,
            title="the system's locale",
            how="exact",
            why="every login and server begins in it; where LANG is missing, apps run in C",
            bug="rocker-org/rocker-versioned2/issues/397",
            read=of_system,
        ),
    ),
    stated=_stated,
    makes=_makes,
)
