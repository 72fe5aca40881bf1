"""Where a server is: its locale and its time zone, as R has them, in words that a box takes."""

import re
from collections import Counter
from typing import Final

from sandbox.capture.valid import fits
from sandbox.facts.facts import Facts
from sandbox.facts.r_view import RView
from sandbox.facts.subjects.locale import SystemLocale, normal_locale
from sandbox.facts.subjects.r import r_view
from sandbox.facts.subjects.timezone import Timezone, normal_zone
from sandbox.probe.untaken import without_hash
from sandbox.spec import models, words

_DECIDING: Final = ("LC_CTYPE", "LC_COLLATE", "LC_TIME", "LC_MONETARY", "LC_MESSAGES")
_LOCALE = re.compile(r"(C|POSIX|[A-Za-z]{2,3}_[A-Za-z]{2})(?:\.([A-Za-z0-9_-]+))?(@[a-z]+)?")
_ISO = re.compile(r"iso-?8859-?([0-9]{1,2})", re.IGNORECASE)

Found = tuple[str | None, list[str]]
"""What the box says, and the comments about it."""


def choose_locale(facts: Facts, view: RView | None) -> Found:
    """The locale in which R runs, else the one that logins are given."""
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
    found = {name: view.locale.get(name, "") for name in _DECIDING}
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
    """`en_US.UTF-8` for en_US.utf8: a locale as a box says it, or the nearest that it can say."""
    found = _LOCALE.fullmatch(name)
    if found is None:
        return None
    language, charset, modifier = found[1], found[2] or "", found[3] or ""
    if "_" in language:
        head, _, country = language.partition("_")
        language = f"{head.lower()}_{country.upper()}"
    for one in (f"{language}{_charset(charset)}{modifier}", f"{language}.UTF-8"):
        if words.wrong_locale(one) is None and fits(models.Locale, one):
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


def choose_timezone(facts: Facts, view: RView | None) -> Found:
    """R's own time zone, else the system's."""
    system = facts[Timezone].name
    zone = view.timezone if view is not None and view.timezone else system
    notes = []
    if zone is not None and system is not None and normal_zone(zone) != normal_zone(system):
        notes.append(f"the system's time zone is {system}, and R's is {zone}")
    if not facts[Timezone].localtime_is_symlink:
        notes.append("/etc/localtime is no symbolic link: R may not know its timezone there")
    if zone is None:
        return None, notes
    if not fits(models.Timezone, zone) or words.unknown_timezone(zone) is not None:
        return None, [*notes, f"the time zone {without_hash(zone)}: the sandbox has the default"]
    return zone, [without_hash(note) for note in notes]
