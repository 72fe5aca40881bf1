"""The shape of every section that the probe prints: what is believed, before facts are made of it.

One table. A section that is not in it, comes twice, or has a line that the probe does not write is
refused, and so is the whole answer: a line that is left out in silence would make the rest untrue.
What is a file's own text (a configuration, what a program said) has no shape, only a size.
A section or a kind of fact that the probe learns to print needs its line here.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Final

from sandbox.probe.frame import Frame, Section
from sandbox.probe.parse_setup import is_installed
from sandbox.probe.readers import (
    IDS,
    MalformedError,
    SectionError,
    name,
    path,
    plain,
    reading,
    row,
    version,
    whole,
    word,
)
from sandbox.probe.shapes_host import (
    Check,
    check_account,
    check_authorized_key,
    check_group,
    check_kernels_socket,
    check_public_key,
    check_services,
    check_socket,
    check_sshd,
    rows,
    states,
)
from sandbox.probe.shapes_r import check_failed, check_found, check_limits, without_cut_off

_MOST_SECTIONS = 5000
_MOST_ALIKE = 1000
_MOST_ROWS = 200_000
"""A directory service may know very many people."""
_MOST_LINES = 20_000
"""Of a file."""
_LONGEST_LINE = 1_000_000
# A head whose boundary was damaged: it would end up as text of the section before it
_OTHER_HEAD = re.compile(r"[^\t]*\tsection\t[a-z-]+(\t.*)?")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_WORDS = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_DPKG_STATE = re.compile(r"[a-z][A-Za-z].?")
_PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._~-]*")
_HEX = re.compile(r"[0-9a-f]{0,64}")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*", re.DOTALL)


@dataclass(frozen=True)
class _Shape:
    """What one kind of section may look like."""

    check: Check
    args: tuple[int, int] = (0, 0)
    """How many words its head has behind the name: at least, at most."""
    many: bool = False
    """Whether it may come more than once."""
    lines: int = _MOST_ROWS


def checked(frame: Frame) -> Frame:
    """The frame, when every section of it has its shape.

    An R that was ended while it printed has left half a line: that is taken out.

    Raises:
        SectionError: one has not; it says which, and what kind of line is wrong.
    """
    if len(frame.sections) > _MOST_SECTIONS:
        raise SectionError(frame.sections[-1].name, "more sections than any server has")
    counts = Counter(section.name for section in frame.sections)
    sections: list[Section] = []
    for section in frame.sections:
        shape = SECTIONS.get(section.name)
        if shape is None:
            raise SectionError(_nearest(section.name, sections), "a head that is not the probe's")
        with reading(section.name):
            if counts[section.name] > (_MOST_ALIKE if shape.many else 1):
                raise MalformedError("the section came again")
            sections.append(_one(section, shape, frame.boundary))
    _once_each(frame)
    return replace(frame, sections=tuple(sections))


def _nearest(text: str, before: Sequence[Section]) -> str:
    """A name of ours for a head that is damaged: what it was, or else what stands before it."""
    close = get_close_matches(text[:40], SECTIONS, n=1)
    return close[0] if close else (before[-1].name if before else "run")


def _one(section: Section, shape: _Shape, boundary: str) -> Section:
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
        if section.name not in _OF_R and f"{boundary}\t" in line:
            raise MalformedError("a line of R's in it")
    if section.name == "r-view":
        return without_cut_off(section, boundary)
    shape.check(section)
    return section


def _once_each(frame: Frame) -> None:
    """A file, and a unit, is read once."""
    for kind in ("config", "unit"):
        twice = Counter(section.args[0] for section in frame.all(kind))
        if any(count > 1 for count in twice.values()):
            raise SectionError(kind, "the same one came twice")


def _free(_: Section) -> None:
    """Text of a file, or of a program."""


def _run(section: Section) -> None:
    _, uid, moment = section.args
    whole(uid, "the id of the login", within=IDS)
    name(moment, "the time of the probe", pattern=_MOMENT)


def _pairs(
    section: Section, kinds: Mapping[str, Callable[[str], object]], spill: str = ""
) -> dict[str, str]:
    """`name TAB value` lines; of the kind `spill` a value may go on in the lines that follow."""
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


def _identity(section: Section) -> None:
    found = _pairs(
        section,
        {
            "hostname": lambda text: name(text, "the name of the host"),
            "machine-id": lambda text: plain(text, "the machine's id"),
            "host-key": check_public_key,
        },
        spill="host-key",
    )
    if "hostname" not in found:
        raise MalformedError("the name of the host")


def _os_release(section: Section) -> None:
    names = set()
    for line in section.lines:
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name(text.partition("=")[0], "NAME=value", pattern=_WORDS)
        if not _ASSIGNMENT.fullmatch(text):
            raise MalformedError("NAME=value")
        names.add(text.partition("=")[0])
    if section.lines and "ID" not in names:
        raise MalformedError("the system's ID")


def _uname(section: Section) -> None:
    kernel, arch, *more = section.args
    name(kernel, "the kernel's release")
    name(arch, "the architecture", pattern=_WORDS)
    if len(more) > 1:
        word(more[1], "SELinux", of=("", "Enforcing", "Permissive", "Disabled"))


def _virtualization(section: Section) -> None:
    if section.args[0]:
        name(section.args[0], "the virtualization", pattern=_WORDS)


def _localtime(section: Section) -> None:
    def text(value: str) -> str:
        return plain(value, "a time zone")

    kinds = {"target": text, "resolved": text, "etc-timezone": text}
    _pairs(section, kinds, spill="etc-timezone")


def _machine(section: Section) -> None:
    seen = set()
    for line in section.lines:
        kind, *values = line.split("\t")
        match kind, values:
            case (("cpus" | "memory-kb"), [one]):
                if one:
                    whole(one, "processors and memory")
            case "disk-kb", [size, free]:
                for one in (size, free):
                    # df's word for a file system that has no size
                    if one != "-":
                        whole(one, "the disk's size")
            case "mount", [place, options]:
                path(place, "a mount")
                name(options, "a mount")
                continue
            case "", []:
                continue
            case _:
                raise MalformedError("processors, memory, disk or mount")
        if kind in seen:
            raise MalformedError("processors, memory or disk twice")
        seen.add(kind)


def _hidden_memory(section: Section) -> None:
    _pairs(section, {"memory-kb": lambda text: whole(text, "the memory")})


def _dpkg(line: str) -> None:
    state, package, has, *priority = row(line, "a package of dpkg's", least=3, most=4)
    name(state, "a package's state", pattern=_DPKG_STATE)
    name(package, "a package's name", pattern=_PACKAGE)
    if is_installed(state) or has:
        version(has, "a package's version")
    for one in priority:
        plain(one, "a package's priority")


def _rpm(line: str) -> None:
    package, has = row(line, "a package of rpm's", least=2, most=2)
    name(package, "a package's name", pattern=_PACKAGE)
    version(has, "a package's version")


def _tool(line: str) -> None:
    tool, place, _ = row(line, "a program, its path and its words", least=3, most=3)
    name(tool, "a program", pattern=_PACKAGE)
    path(place, "a program's path")


def _certificates(section: Section) -> None:
    file, digest, count = (*section.args, "", "")[:3]
    path(file, "the bundle's path")
    if not _HEX.fullmatch(digest):
        raise MalformedError("the bundle's checksum")
    if count:
        whole(count, "how many certificates there are")
    for line in section.lines:
        plain(line, "a certificate's file name")


def _unit(section: Section) -> None:
    name(section.args[0], "a unit's name")
    _settings(section)


def _config(section: Section) -> None:
    path(section.args[0], "a configuration file's path")
    _settings(section)


def _settings(section: Section) -> None:
    """What a file or a unit sets: a key and its value, or a placeholder."""
    seen = set()
    for line in section.lines:
        if not line:
            continue
        key, _ = row(line, "a key and its value", least=2, most=2)
        name(key, "a key")
        if key in seen:
            raise MalformedError("a key that came before")
        seen.add(key)


def _locale_settings(section: Section) -> None:
    for arg in section.args:
        path(arg, "the path of the locale's settings")
    _settings(section)


def _shiny_server(section: Section) -> None:
    path(section.args[0], "the configuration's path")


def _user_library(line: str) -> None:
    fields = row(line, "a package in somebody's library", least=4, most=4)
    for one in fields[:3]:
        plain(one, "a package in somebody's library")
    path(fields[3], "the path of somebody's library")


def _not_seen(line: str) -> None:
    if "\t" not in line:
        raise MalformedError("what was not seen, and why")


def _name_line(line: str) -> None:
    name(line, "a name")


_OF_R: Final = ("r-view", "r-failed")
SECTIONS: Final[Mapping[str, _Shape]] = {
    "run": _Shape(_run, (3, 3)),
    "identity": _Shape(_identity),
    "os-release": _Shape(_os_release, lines=_MOST_LINES),
    "uname": _Shape(_uname, (2, 4)),
    "virtualization": _Shape(_virtualization, (1, 1)),
    "locale-settings": _Shape(_locale_settings, (0, 1), many=True, lines=_MOST_LINES),
    "locales": _Shape(rows(_name_line)),
    "localtime": _Shape(_localtime, lines=_MOST_LINES),
    "machine": _Shape(_machine),
    "hidden-memory": _Shape(_hidden_memory),
    "services": _Shape(check_services),
    "ss": _Shape(rows(check_socket)),
    "proc-net-tcp": _Shape(rows(check_kernels_socket)),
    "proc-net-tcp6": _Shape(rows(check_kernels_socket)),
    "proc-net-udp": _Shape(rows(check_kernels_socket)),
    "proc-net-udp6": _Shape(rows(check_kernels_socket)),
    "passwd": _Shape(rows(check_account)),
    "group": _Shape(rows(check_group)),
    "shadow": _Shape(states("an account and its state", "set", "locked", "empty")),
    "sudo": _Shape(states("an account and yes or no", "yes", "no")),
    "sshd": _Shape(check_sshd),
    "authorized-keys": _Shape(rows(check_authorized_key)),
    "shiny-server": _Shape(_shiny_server, (1, 3), lines=_MOST_LINES),
    "dpkg": _Shape(rows(_dpkg)),
    "apt-auto": _Shape(rows(_name_line)),
    "rpm": _Shape(rows(_rpm)),
    "tools": _Shape(rows(_tool)),
    "odbcinst": _Shape(_settings, (0, 1), lines=_MOST_LINES),
    "odbc-libraries": _Shape(rows(_name_line)),
    "fonts": _Shape(rows(_name_line)),
    "certificates": _Shape(_certificates, (1, 3)),
    "units": _Shape(_free),
    "unit": _Shape(_unit, (1, 1), many=True, lines=_MOST_LINES),
    "user-libraries": _Shape(rows(_user_library)),
    "config": _Shape(_config, (1, 1), many=True, lines=_MOST_LINES),
    "root": _Shape(_free),
    "root-end": _Shape(_free),
    "r-found": _Shape(check_found, (0, 1), lines=1000),
    "r-view": _Shape(_free, (4, 5), many=True),
    "r-failed": _Shape(check_failed, (4, 4), many=True, lines=1000),
    "worker-limits": _Shape(check_limits, (0, 1), many=True, lines=1000),
    "not-seen": _Shape(rows(_not_seen), many=True, lines=1000),
}
