"""The shape of what R says: heads of the views, and every kind of fact with its fields."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, get_args

from sandbox.probe.facts import Viewer
from sandbox.probe.frame import Section
from sandbox.probe.readers import MalformedError, flag, name, path, plain, row, whole, word

_VIEWERS: Final = get_args(Viewer)
_ROADS: Final = {"login": ("login",), "shiny": ("worker", "replay"), "rstudio": ("worker",)}
_STATUS: Final = range(256)
_R_VERSION = re.compile(r"\d+(\.\d+)+", re.ASCII)
_UMASK = re.compile(r"[0-7]{3,4}")
_LIMIT_LINE = re.compile(
    r"Max (?P<what>open files|processes) +(unlimited|[0-9]{1,20}) +(unlimited|[0-9]{1,20})( .*)?"
)
_LIMITED = ("open files", "processes")


def check_found(section: Section) -> None:
    """Every R that was found: home, version, what led to it, the program."""
    for line in section.lines:
        if not line:
            continue
        home, has, found_as, program = row(line, "an R of four fields", least=4, most=4)
        for one in (home, found_as, program):
            path(one, "the path of an R")
        if has:
            name(has, "the version of an R", pattern=_R_VERSION)


def check_failed(section: Section) -> None:
    """An R that did not start: its words are its own."""
    _head(section)


def check_limits(section: Section) -> None:
    """The kernel's table of one process's limits; empty when that had ended."""
    for arg in section.args:
        word(arg, "whose limits they are", of=_VIEWERS)
    found = set()
    for line in section.lines:
        if line.startswith(tuple(f"Max {what} " for what in _LIMITED)):
            found.add(_limit(line))
        elif line.strip() and not line.startswith(("Limit ", "Max ")):
            raise MalformedError("a limit")
    if section.lines and found != set(_LIMITED):
        raise MalformedError("the limits of open files and processes")


def without_cut_off(section: Section, boundary: str) -> Section:
    """A view whose every fact has its shape, without the half of one that an ended R has left.

    Raises:
        MalformedError: another line is not as R writes it.
    """
    _head(section)
    status = section.args[3]
    ours = [at for at, line in enumerate(section.lines) if line.startswith(f"{boundary}\t")]
    for at in ours:
        try:
            _fact(section.lines[at])
        except MalformedError:
            if status == "0" or at != ours[-1]:
                raise
            kept = (*section.lines[:at], *section.lines[at + 1 :])
            return replace(section, lines=kept)
    return section


def _head(section: Section) -> None:
    viewer, how, home, status, *profile = section.args
    word(viewer, "who sees R", of=_VIEWERS)
    word(how, "how R was started", of=_ROADS[viewer])
    if home:
        path(home, "R's home")
    whole(status, "how R ended", within=_STATUS)
    for one in profile:
        if one:
            path(one, "the personal profile")


def _fact(line: str) -> None:
    what, *fields = line.split("\t")[1:]
    if what in ("begin", "end-of-facts") and not fields:
        return
    if what != "fact" or not fields or fields[0] not in _KINDS:
        raise MalformedError("a fact of R's")
    kind = fields[0]
    shape = _KINDS[kind]
    if not shape.least <= len(fields) - 1 <= shape.most:
        raise MalformedError(f"the fact `{kind}`")
    shape.check(tuple(fields[1:]), f"the fact `{kind}`")


Check = Callable[[tuple[str, ...], str], None]


@dataclass(frozen=True)
class _Kind:
    """How many fields a fact has, and what they are."""

    least: int
    most: int
    check: Check


def _anything(fields: tuple[str, ...], kind: str) -> None:
    """Values of a stranger's: text, escaped by R."""


def _named(fields: tuple[str, ...], kind: str) -> None:
    name(fields[0], kind)


def _path(fields: tuple[str, ...], kind: str) -> None:
    path(fields[0], kind)


def _owner(fields: tuple[str, ...], kind: str) -> None:
    # What the loader said before it named a file belongs to none
    if fields[0]:
        path(fields[0], kind)


def _flags(fields: tuple[str, ...], kind: str) -> None:
    for one in fields:
        flag(one, kind)


def _capability(fields: tuple[str, ...], kind: str) -> None:
    name(fields[0], kind)
    flag(fields[1], kind)


def _l10n(fields: tuple[str, ...], kind: str) -> None:
    _flags(fields[:3], kind)
    plain(fields[3], kind)


def _version(fields: tuple[str, ...], kind: str) -> None:
    name(fields[0], kind, pattern=_R_VERSION)


def _package(fields: tuple[str, ...], kind: str) -> None:
    for one in fields[:2]:
        name(one, kind)
    path(fields[2], kind)
    name(fields[3], kind, pattern=_R_VERSION)


def _mask(fields: tuple[str, ...], kind: str) -> None:
    name(fields[0], kind, pattern=_UMASK)


def _a_limit(fields: tuple[str, ...], _: str) -> None:
    _limit(fields[0])


def _limit(line: str) -> str:
    found = _LIMIT_LINE.fullmatch(line)
    if found is None:
        raise MalformedError("a limit of open files or processes")
    return found["what"]


def _letter(fields: tuple[str, ...], kind: str) -> None:
    word(fields[0], kind, of=("a", "A", "b", "B"))


def _graphics(fields: tuple[str, ...], kind: str) -> None:
    _flags(fields[:2], kind)


def _code(fields: tuple[str, ...], kind: str) -> None:
    path(fields[0], kind)
    whole(fields[1], kind)


def _count(fields: tuple[str, ...], kind: str) -> None:
    whole(fields[0], kind)


_KINDS: Final[Mapping[str, _Kind]] = {
    "environment": _Kind(2, 2, _anything),
    "environment_file": _Kind(2, 2, _path),
    "user": _Kind(1, 1, _named),
    "working_dir": _Kind(1, 1, _path),
    "version_string": _Kind(1, 1, _named),
    "version": _Kind(1, 1, _version),
    "home": _Kind(1, 1, _path),
    "locale": _Kind(2, 2, _named),
    "l10n": _Kind(4, 4, _l10n),
    "timezone": _Kind(1, 1, _anything),
    "capability": _Kind(2, 2, _capability),
    "software": _Kind(2, 2, _named),
    "la_library": _Kind(1, 1, _anything),
    "la_version": _Kind(1, 1, _anything),
    "rng_kind": _Kind(1, 1, _named),
    "repo": _Kind(2, 2, _anything),
    "option": _Kind(2, 2, _named),
    "code": _Kind(3, 3, _code),
    "code_failed": _Kind(2, 2, _path),
    "lib_path": _Kind(1, 1, _path),
    "package": _Kind(4, 8, _package),
    "program": _Kind(2, 2, _named),
    "umask": _Kind(1, 1, _mask),
    "limit": _Kind(1, 1, _a_limit),
    "tempdir": _Kind(1, 1, _path),
    "tempdir_exec": _Kind(1, 1, _flags),
    "sort_probe": _Kind(1, 1, _letter),
    "graphics": _Kind(2, 3, _graphics),
    "graphics_error": _Kind(1, 1, _anything),
    "unresolved": _Kind(2, 2, _owner),
    "objects_checked": _Kind(1, 1, _count),
    "linked": _Kind(2, 2, _named),
    "to_load": _Kind(1, 1, _named),
    "loading": _Kind(1, 1, _named),
    "loaded": _Kind(2, 2, _named),
    "not_loaded": _Kind(2, 2, _anything),
    "failed": _Kind(2, 2, _anything),
}
