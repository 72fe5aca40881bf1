"""What the kernel allows R: open files, processes, and the rights of new files (umask)."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sandbox.facts.compare import Value
from sandbox.facts.kind import Consequence, NotThereError, Reading, kind_of_r
from sandbox.facts.making import Change, Made, Making
from sandbox.facts.planned import PlannedNumber
from sandbox.facts.r_lines import VIEWERS, Fields
from sandbox.facts.r_view import RLimit, RLimits, RView
from sandbox.facts.shapes import Shape
from sandbox.facts.subject import Facts, Hashes, RSaid, Stated, Subject
from sandbox.plan import Plan
from sandbox.probe.frame import Section
from sandbox.probe.readers import MalformedError, name, word

_UMASK_OF_ROOT = "0022"

_UMASK = re.compile(r"[0-7]{3,4}")
_LIMIT_LINE = re.compile(
    r"Max (?P<what>open files|processes) +(unlimited|[0-9]{1,20}) +(unlimited|[0-9]{1,20})( .*)?"
)
_LIMITED = ("open files", "processes")


def _check_limits(section: Section) -> None:
    """The kernel's table of one process's limits; empty when that had ended."""
    for arg in section.args:
        word(arg, "whose limits they are", of=VIEWERS)
    found = set()
    for line in section.lines:
        if line.startswith(tuple(f"Max {what} " for what in _LIMITED)):
            found.add(_check_limit(line))
        elif line.strip() and not line.startswith(("Limit ", "Max ")):
            raise MalformedError("a limit")
    if section.lines and found != set(_LIMITED):
        raise MalformedError("the limits of open files and processes")


def _a_limit(fields: tuple[str, ...], _: str) -> None:
    _check_limit(fields[0])


def _check_limit(line: str) -> str:
    found = _LIMIT_LINE.fullmatch(line)
    if found is None:
        raise MalformedError("a limit of open files or processes")
    return found["what"]


def _mask(fields: tuple[str, ...], kind: str) -> None:
    name(fields[0], kind, pattern=_UMASK)


def _fields(said: RSaid) -> Mapping[str, Any]:
    return {"umask": said.one("umask"), "limits": _limits(said.column("limit"))}


def _limits(lines: Sequence[str]) -> RLimits:
    found: dict[str, RLimit] = {}
    for line in lines:
        if match := _LIMIT_LINE.match(line):
            found[match[1]] = RLimit(soft=_limit(match[2]), hard=_limit(match[3]))
    return RLimits(nofile=found.get("open files"), nproc=found.get("processes"))


def _limit(text: str) -> int | None:
    return None if text == "unlimited" else int(text)


def umask(view: RView, _: Facts) -> Reading:
    """Return the umask: what new files may not be."""
    if view.seen_by == "login" and view.user == "root" and view.umask == _UMASK_OF_ROOT:
        # Where pam_umask works, Debian 13 for one, people with a group of their own have another
        raise NotThereError("it was seen as root, whose umask is not other people's")
    return {"": view.umask}


def open_files(view: RView, _: Facts) -> Reading:
    """Return the soft limit of open files; unlimited is more than anything."""
    found: dict[str, Value] = {}
    if view.limits.nofile is not None:
        found["nofile"] = _soft(view.limits.nofile)
    return found


def processes(view: RView, _: Facts) -> Reading:
    """Return the limit of processes; the kernel computes it from the memory when nobody sets it."""
    return {"": _soft(view.limits.nproc)} if view.limits.nproc is not None else {}


def _soft(limit: RLimit) -> float:
    return float("inf") if limit.soft is None else float(limit.soft)


def _stated(plan: Plan, _: Hashes) -> Stated:
    limits = plan.system.limits
    stated: dict[str, Reading] = {}
    if plan.r is not None and limits.nofile is not None:
        stated["r.limit"] = {"nofile": PlannedNumber(limits.nofile)}
    if plan.r is not None and limits.nproc is not None:
        stated["r.processes"] = {"": PlannedNumber(limits.nproc)}
    return stated


def _makes(_: Facts, making: Making) -> Iterator[Made]:
    limit = _set_by_somebody(making.view) if making.view is not None else None
    if limit is not None:
        yield Change(("system", "limits", "nofile"), limit)


def _set_by_somebody(view: RView) -> int | None:
    """The limit of open files that somebody has set; the usual ones of systemd are none."""
    limit = view.limits.nofile
    if limit is None or limit.soft in (None, 1024, 4096, 524288, 1048576, 1073741816):
        return None
    return limit.soft if limit.soft is not None and 256 <= limit.soft < 1048576 else None  # noqa: PLR2004


_TAKES = (
    "=kernel_limit: Max (open files|processes) +([0-9]{1,20}|unlimited) +([0-9]{1,20}"
    "|unlimited) +(files|processes) *\n"
    "octal: umask\n"
)
LIMITS = Subject(
    name="limits",
    rank=68,
    takes=_TAKES,
    sections={"worker-limits": Shape(_check_limits, (0, 1), many=True, lines=1000)},
    r_lines={
        "umask": Fields(1, 1, _mask, takes="umask", required=True),
        "limit": Fields(1, 1, _a_limit, takes="kernel_limit"),
    },
    r_fields=_fields,
    kinds=(
        kind_of_r(
            "r.limit",
            Consequence.FAILS,
            200,
            title="how many files R may open",
            how="number",
            why="an app that opens a connection for each user fails at the limit, in "
            "the busiest hour",
            bug="Mouse-Imaging-Centre/RMINC/issues/61",
            read=open_files,
        ),
        kind_of_r(
            "r.umask",
            Consequence.ACCESS,
            50,
            title="what R's new files may not be",
            how="exact",
            why="a package or a result that one person writes, others cannot read",
            bug="pypa/pip/issues/3421",
            read=umask,
        ),
        kind_of_r(
            "r.processes",
            Consequence.SPEED,
            50,
            title="how many processes R may start",
            how="number",
            why="parallel code fails to fork at the limit",
            bug="nx10/httpgd/issues/212",
            read=processes,
            tolerance=0.1,
        ),
    ),
    stated=_stated,
    makes=_makes,
)
