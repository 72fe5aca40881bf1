"""The rules of names.txt: the grammars of a name, and whether a value matches them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final, Literal

from sandbox.probe.known import grammars

Kind = Literal["env", "option", "repo", "rstudio", "odbc", "unit", "shiny", "limits", "fact"]
"""The kind of a name: environment variable, option of R, repository, servers' file, …"""

NEVER: Final = (
    "[Tt][Oo][Kk][Ee][Nn]|[Pp][Aa][Ss][Ss]|[Ss][Ee][Cc][Rr][Ee][Tt]|[Cc][Rr][Ee][Dd]"
    "|[Cc][Oo][Oo][Kk][Ii][Ee]|[Pp][Rr][Ii][Vv][Aa][Tt]|[Ww][Ee][Bb][Hh][Oo][Oo][Kk]"
    "|[Ss][Ii][Gg][Nn][Aa][Tt]|[Ll][Ii][Cc][Ee][Nn][Ss][Ee]|[Uu][Ss][Ee][Rr][Nn][Aa][Mm][Ee]"
    "|(^|[._-])([Pp][Aa][Tt]|[Pp][Ww][Dd]?|[Pp][Ii][Nn]|[Kk][Ee][Yy][Ss]?|[Ss][Aa][Ll][Tt]"
    "|[Aa][Uu][Tt][Hh]|[Dd][Ss][Nn]|[Ii][Dd]|[Uu][Ii][Dd])([._-]|$)|[a-z]Key|APIKEY|apikey"
)
"""Parts of names that no pattern lets through; a name written in full is known all the same."""

INTRODUCED: Final = (
    "package packages called namespace library object function method symbol locale class generic"
)
"""Words of messages after which a name may stand in quotes."""
_ENDS: Final = ".,:;()[]!?\"'`<>"
_QUOTES: Final = ("\u2018", "\u2019", "\u201c", "\u201d")
CALL: Final = (
    "(base::|utils::|methods::)?(library|require|requireNamespace|loadNamespace|attachNamespace"
    "|library[.]dynam|dyn[.]load|source|sys[.]source|eval|try|tryCatch|withVisible|file|readRDS|load"
    "|readLines|Sys[.]setlocale|setwd|options|getOption|q|quit|local|suppressWarnings|install[.]packages"
    "|doTryCatch|stop|warning)[(]([a-z]{0,2}|file|con|[a-z]{1,8}[0-9]?|[A-Z]{1,4})[)]?"
)
"""`library(DT)`, `loadNamespace(x)`"""
SHAPED: Final = (
    "C|[0-9]{1,5}|[0-9]{1,4}[.-][0-9]{1,3}([.-][0-9]{1,3})?|LC_[A-Z]+"
    "|lib[a-zA-Z_+-]+[0-9]{0,3}([.-][0-9]{1,4})?[.]so([.][0-9]{1,4}([.][0-9]{1,4})?)?|[a-zA-Z]+[.]so"
)
"""Numbers, versions, locale categories, libraries."""


@dataclass
class Rules:
    """The tables, as in names.txt."""

    exact: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    """Kind and name to grammars."""
    words: dict[tuple[str, str], str] = field(default_factory=dict)
    """Kind and name to an expression."""
    patterns: list[tuple[str, str, str]] = field(default_factory=list)
    """Kind, expression for the name, grammars."""
    vocabulary: set[str] = field(default_factory=set)
    """Words of messages."""


@cache
def rules(of_facts: str = "") -> Rules:
    """Return the rules, read once.

    Args:
        of_facts: more lines under [fact], from the facts that own them.
    """
    found = Rules()
    kind = ""
    text = Path(__file__).with_name("names.txt").read_text(encoding="ascii")
    for line in _lines(f"{text}\n[fact]\n{of_facts}"):
        if line.startswith("["):
            kind = line[1:-1]
        elif kind == "words":
            found.vocabulary.update(line.split())
        elif line.startswith("="):
            name, _, expression = line[1:].partition(": ")
            found.words[kind, name] = expression
        else:
            names, _, what = line.partition(": ")
            if line.startswith("~"):
                found.patterns.append((kind, what, names[1:]))
                continue
            for name in what.split():
                found.exact.setdefault((kind, name), []).extend(names.split())
    return found


def _lines(text: str) -> Iterator[str]:
    """The lines that say something, each joined with the indented lines after it."""
    whole = ""
    for line in text.splitlines():
        if line.startswith(" "):
            whole += f" {line.strip()}"
            continue
        if whole:
            yield whole
        whole = "" if line.startswith("#") else line
    if whole:
        yield whole


def known(kind: Kind, name: str, value: str, *, of_facts: str = "") -> bool:
    """Tell whether `value` may be seen under `name`; `of_facts` as for `rules`."""
    if not value:
        return True
    expression = _expression(kind, name, of_facts)
    if len(value) > grammars.LONGEST or expression is None or not expression.fullmatch(value):
        return False
    return _is_listed(kind, name, value, of_facts) or not _RUN.search(value)


def _is_listed(kind: Kind, name: str, value: str, of_facts: str) -> bool:
    """Whether `value` is one of our own words, letter by letter: such a word may be a long one."""
    words = rules(of_facts).words.get((kind, name))
    if words is None or _ANY_RANGE.search(words):
        return False
    return re.fullmatch(words, value) is not None


def knows(kind: Kind, name: str) -> bool:
    """Tell whether there is a grammar for `name`."""
    return _expression(kind, name) is not None


def harmless(name: str, value: str) -> bool:
    """Tell whether a box's own `value` may be shown, under any `name`.

    More may be shown than may leave a server: under an unknown name also a switch, a short number,
    a locale or a path, when the name does not sound like a secret.
    """
    if any(known(kind, name, value) for kind in ("env", "option", "repo")):
        return True
    return re.search(NEVER, name) is None and _plain().fullmatch(value) is not None


@cache
def _plain() -> re.Pattern[str]:
    names = ("switch", "locale", "zone", "path", "mode", "url", "date")
    return re.compile(
        "|".join([grammars.pattern(one) for one in names] + ["^[0-9]{1,4}([.][0-9]{1,3})?$"])
    )


_RUN = re.compile(grammars.RUN)
_ANY_RANGE = re.compile(grammars.ANY_RANGE)


@cache
def _expression(kind: str, name: str, of_facts: str = "") -> re.Pattern[str] | None:
    table = rules(of_facts)
    found = list(table.exact.get((kind, name), ()))
    words = table.words.get((kind, name))
    if not found and words is None:
        if re.search(NEVER, name):
            return None
        found = next(
            (
                what.split()
                for of_kind, pattern, what in table.patterns
                if of_kind == kind and re.fullmatch(pattern, name)
            ),
            [],
        )
    parts = [grammars.pattern(one) for one in found]
    parts += [f"^({words})$"] if words is not None else []
    return re.compile("|".join(parts)) if parts else None


def known_words(line: str) -> bool:
    """Tell whether a line of a message has only words of R and its tools, names and places."""
    for quote in _QUOTES:
        line = line.replace(quote, "'")
    before = ""
    for word in line.split():
        if not _known_word(word, before):
            return False
        before = word.strip(_ENDS).lower()
    return True


def _known_word(word: str, before: str) -> bool:
    bare = word.strip(_ENDS)
    if not bare or bare.lower() in rules().vocabulary or re.fullmatch(r"[-=*/>|~^.+:]+", bare):
        return True
    if len(bare) > grammars.LONGEST or _RUN.search(bare):
        return False
    if re.fullmatch(SHAPED, bare) or re.fullmatch(CALL, word.rstrip(".,:;")):
        return True
    if bare.startswith("/") and re.fullmatch(grammars.pattern("path"), bare):
        return True
    quoted = word.startswith(("'", '"', "`"))
    return (
        quoted
        and before in INTRODUCED.split()
        and re.fullmatch(grammars.pattern("name"), bare) is not None
    )
