"""The shape of every section that the probe prints: what is believed, before facts are made of it.

Each subject has the shapes of its own. A section that nobody knows, that comes twice, or has a line
that the probe does not write is refused, and so is the whole answer: a line that is left out in
silence would make the rest untrue. What is a file's own text (a configuration, what a program said)
has no shape, only a size.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Final

from sandbox.probe.frame import Frame, Section
from sandbox.probe.readers import (
    IDS,
    MalformedError,
    SectionError,
    name,
    plain,
    reading,
    row,
    whole,
)

_MOST_SECTIONS = 5000
_MOST_ALIKE = 1000
_MOST_ROWS = 200_000
MOST_LINES: Final = 20_000
"""Of a file."""
_LONGEST_LINE = 1_000_000
# A head whose boundary was damaged: it would end up as text of the section before it
_OTHER_HEAD = re.compile(r"[^\t]*\tsection\t[a-z-]+(\t.*)?")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)

WORDS: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")

Check = Callable[[Section], None]


@dataclass(frozen=True)
class Shape:
    """What one kind of section may look like."""

    check: Check
    args: tuple[int, int] = (0, 0)
    """How many words its head has behind the name: at least, at most."""
    many: bool = False
    """Whether it may come more than once."""
    once_each: bool = False
    """Of one that may: each time with another first word in its head."""
    lines: int = _MOST_ROWS
    """How many it has at most; a directory service may know very many people."""
    required: bool = False
    """Every server has it."""
    not_empty: bool = False
    """And with lines in it."""
    of_r: bool = False
    """R's own lines are in it."""
    whole: Callable[[Section, str], Section] | None = None
    """Instead of `check`: the section without the half line of an R that was ended."""


def checked(frame: Frame, sections: Mapping[str, Shape]) -> Frame:
    """Check that every section of a frame has its shape, and return the frame.

    An R that was ended while it printed has left half a line: that is taken out.

    Raises:
        SectionError: one has not; it says which, and what kind of line is wrong.
    """
    if len(frame.sections) > _MOST_SECTIONS:
        raise SectionError(frame.sections[-1].name, "more sections than any server has")
    counts = Counter(section.name for section in frame.sections)
    found: list[Section] = []
    for section in frame.sections:
        shape = sections.get(section.name)
        if shape is None:
            kind = "a head that is not the probe's"
            raise SectionError(_nearest(section.name, found, sections), kind)
        with reading(section.name):
            if counts[section.name] > (_MOST_ALIKE if shape.many else 1):
                raise MalformedError("the section came again")
            found.append(_one(section, shape, frame.boundary))
    _once_each(frame, sections)
    return replace(frame, sections=tuple(found))


def _nearest(text: str, before: Sequence[Section], sections: Mapping[str, Shape]) -> str:
    """A name of ours for a head that is damaged: what it was, or else what stands before it."""
    close = get_close_matches(text[:40], sections, n=1)
    return close[0] if close else (before[-1].name if before else "run")


def _one(section: Section, shape: Shape, boundary: str) -> Section:
    least, most = shape.args
    if not least <= len(section.args) <= most:
        raise MalformedError("the section's head")
    for arg in section.args:
        plain(arg, "the section's head")
    if len(section.lines) > shape.lines:
        raise MalformedError("more lines than any server has")
    for line in section.lines:
        if len(line) > _LONGEST_LINE:
            raise MalformedError("a line without an end")
        if f"{boundary}\tsection" in line or _OTHER_HEAD.fullmatch(line):
            raise MalformedError("the head of another section in it")
        if not shape.of_r and f"{boundary}\t" in line:
            raise MalformedError("a line of R's in it")
    if shape.whole is not None:
        return shape.whole(section, boundary)
    shape.check(section)
    return section


def _once_each(frame: Frame, sections: Mapping[str, Shape]) -> None:
    """A file, and a unit, is read once."""
    for kind in (one for one, shape in sections.items() if shape.once_each):
        twice = Counter(section.args[0] for section in frame.all(kind))
        if any(count > 1 for count in twice.values()):
            raise SectionError(kind, "the same one came twice")


def require_whole(frame: Frame, sections: Mapping[str, Shape]) -> None:
    """Refuse an answer without what every server has.

    Raises:
        SectionError: a section is missing, or empty.
    """
    for kind, shape in sections.items():
        section = frame.first(kind)
        if section is None:
            if shape.required:
                raise SectionError(kind, "it is missing, and every server has it")
        elif shape.not_empty and not section.lines:
            raise SectionError(kind, "it is empty, and no server's is")


# What many sections are made of


def anything(_: Section) -> None:
    """Accept any text: that of a file, or of a program."""


def rows(check: Callable[[str], object]) -> Check:
    """Make the check of a section in which all lines that are not empty are alike."""

    def each(section: Section) -> None:
        for line in section.lines:
            if line:
                check(line)

    return each


def check_name(line: str) -> None:
    """Check that a line is a name."""
    name(line, "a name")


def check_pairs(
    section: Section, kinds: Mapping[str, Callable[[str], object]], spill: str = ""
) -> dict[str, str]:
    """Check `name TAB value` lines; a value of the kind `spill` may go on in the next lines."""
    found: dict[str, str] = {}
    last = ""
    for line in section.lines:
        kind, tab, value = line.partition("\t")
        if tab and kind in kinds:
            kinds[kind](value)
            found.setdefault(kind, value)
            last = kind
        elif line.strip() and not (spill and last == spill and not line.startswith(tuple(kinds))):
            raise MalformedError("a name and a value")
    return found


def check_settings(section: Section) -> None:
    """Check what a file or a unit sets: a key and its value, or a placeholder."""
    seen = set()
    for line in section.lines:
        if not line:
            continue
        key, _ = row(line, "a key and its value", least=2, most=2)
        name(key, "a key")
        if key in seen:
            raise MalformedError("a key that came before")
        seen.add(key)


# Of the answer as a whole


def _run(section: Section) -> None:
    _, uid, moment = section.args
    whole(uid, "the id of the login", within=IDS)
    name(moment, "the time of the probe", pattern=_MOMENT)


def _not_seen(line: str) -> None:
    if "\t" not in line:
        raise MalformedError("what was not seen, and why")


OF_THE_ANSWER: Final[Mapping[str, Shape]] = {
    "run": Shape(_run, (3, 3), required=True),
    "root": Shape(anything),
    "root-end": Shape(anything),
    "not-seen": Shape(rows(_not_seen), many=True, lines=1000),
}
"""Sections that are no subject's."""
