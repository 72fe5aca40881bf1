"""The locale: what logins are given, and what R takes from it for texts, dates and numbers."""

import re
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from sandbox.facts.kind import Consequence, Reading, kind_of_machine, kind_of_r
from sandbox.facts.part import FactsPart
from sandbox.facts.r_lines import Fields, flags, named
from sandbox.facts.r_view import L10n, RView
from sandbox.facts.shapes import MOST_LINES, Shape, check_name, check_settings, rows
from sandbox.facts.subject import Facts, ProbeAnswer, RSaid, Stated, Subject
from sandbox.plan import Plan
from sandbox.probe.frame import Section
from sandbox.probe.readers import path, plain
from sandbox.probe.untaken import HashKey

_SHOWN_CATEGORIES = ("LC_COLLATE", "LC_CTYPE", "LC_TIME", "LC_NUMERIC", "LC_MONETARY")

_FROM_LANG = ("LC_COLLATE", "LC_CTYPE", "LC_TIME")


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
    """`NAME="value"` lines, as in os-release and /etc/default/locale."""
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
    """LANG and LC_… that logins and servers are given."""
    return {
        name: normal_locale(value)
        for name, value in facts[SystemLocale].settings.items()
        if name == "LANG" or name.startswith("LC_")
    }


def of_r(view: RView, _: Facts) -> Reading:
    """The categories that change results."""
    return {
        name: normal_locale(view.locale[name]) for name in _SHOWN_CATEGORIES if name in view.locale
    }


def normal_locale(name: str) -> str:
    """`en_US.UTF-8` and `en_US.utf8` are the same locale."""
    return re.sub(r"\.utf-?8$", ".UTF-8", name, flags=re.IGNORECASE)


def encoding(view: RView, _: Facts) -> Reading:
    """What R takes text for."""
    return {"": "UTF-8" if view.l10n.utf8 else "Latin-1" if view.l10n.latin1 else "not UTF-8"}


def _stated(plan: Plan, _: HashKey | None) -> Stated:
    locale = normal_locale(plan.system.locale)
    stated: dict[str, Reading] = {"system.locale": {"LANG": locale}}
    if plan.r is not None:
        stated["r.locale"] = dict.fromkeys(_FROM_LANG, locale)
    return stated


_TAKES = "=category: LC_(CTYPE|COLLATE|TIME|NUMERIC|MONETARY|MESSAGES|PAPER|MEASUREMENT)\n"
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
)
