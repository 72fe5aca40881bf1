"""The shape of what R says: heads of the views, and every kind of line with its fields."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, get_args

from sandbox.facts.r_view import Viewer
from sandbox.probe.frame import Section
from sandbox.probe.readers import MalformedError, flag, name, path, whole, word

VIEWERS: Final = get_args(Viewer)
_ROADS: Final = {"login": ("login",), "shiny": ("worker", "replay"), "rstudio": ("worker",)}
_STATUS: Final = range(256)

R_VERSION: Final = re.compile(r"\d+(\.\d+)+", re.ASCII)

CheckFields = Callable[[tuple[str, ...], str], None]


def any_fields(fields: tuple[str, ...], kind: str) -> None:
    """Accept any fields: values of a stranger's, as text that R has escaped."""


def named(fields: tuple[str, ...], kind: str) -> None:
    """Check that the first field is a name."""
    name(fields[0], kind)


def a_path(fields: tuple[str, ...], kind: str) -> None:
    """Check that the first field is a path."""
    path(fields[0], kind)


def flags(fields: tuple[str, ...], kind: str) -> None:
    """Check that each field is TRUE, FALSE or NA."""
    for one in fields:
        flag(one, kind)


def a_version(fields: tuple[str, ...], kind: str) -> None:
    """Check that the first field is a version as R's own."""
    name(fields[0], kind, pattern=R_VERSION)


def a_count(fields: tuple[str, ...], kind: str) -> None:
    """Check that the first field is a whole number."""
    whole(fields[0], kind)


@dataclass(frozen=True)
class Fields:
    """What the fields of one kind of line are."""

    least: int
    most: int
    """How many."""
    check: CheckFields = any_fields
    takes: str = ""
    """Which values may leave the machine: names of known/names.txt under [fact], one a field,
    with commas between them. Empty: answers.awk looks at this kind by a rule of its own."""
    required: bool = False
    """Every R says it."""


def check_failed(section: Section) -> None:
    """Check the section of an R that did not start: its words are its own."""
    _head(section)


def _head(section: Section) -> None:
    viewer, how, home, status, *profile = section.args
    word(viewer, "who sees R", of=VIEWERS)
    word(how, "how R was started", of=_ROADS[viewer])
    if home:
        path(home, "R's home")
    whole(status, "how R ended", within=_STATUS)
    for one in profile:
        if one:
            path(one, "the personal profile")


def whole_view(section: Section, boundary: str, kinds: Mapping[str, Fields]) -> Section:
    """Check that each line of a view has its shape; drop the half of one that an ended R has left.

    Raises:
        MalformedError: another line is not as R writes it.
    """
    _head(section)
    status = section.args[3]
    ours = [at for at, line in enumerate(section.lines) if line.startswith(f"{boundary}\t")]
    for at in ours:
        try:
            _fact(section.lines[at], kinds)
        except MalformedError:
            if status == "0" or at != ours[-1]:
                raise
            kept = (*section.lines[:at], *section.lines[at + 1 :])
            return replace(section, lines=kept)
    return section


def _fact(line: str, kinds: Mapping[str, Fields]) -> None:
    what, *fields = line.split("\t")[1:]
    if what in ("begin", "end-of-facts") and not fields:
        return
    if what != "fact" or not fields or fields[0] not in kinds:
        raise MalformedError("a fact of R's")
    kind = fields[0]
    shape = kinds[kind]
    if not shape.least <= len(fields) - 1 <= shape.most:
        raise MalformedError(f"the fact `{kind}`")
    shape.check(tuple(fields[1:]), f"the fact `{kind}`")
