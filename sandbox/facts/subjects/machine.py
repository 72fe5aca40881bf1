"""The size of the machine, and how its /tmp is mounted."""

from collections.abc import Iterator

from sandbox.facts.kind import CannotReadError, Consequence, Reading, kind_of_machine
from sandbox.facts.making import Change, Made, Making, Unsaid
from sandbox.facts.part import FactsPart
from sandbox.facts.planned import PlannedNumber
from sandbox.facts.shapes import Shape, check_pairs
from sandbox.facts.subject import Facts, Hashes, ProbeAnswer, Stated, Subject
from sandbox.plan import Plan
from sandbox.probe.frame import Section
from sandbox.probe.readers import MalformedError, name, path, whole

MEMORY_LEAST = 0.85
"""A VM's kernel keeps some of its memory to itself."""
MEMORY_MOST = 1.02
_MOUNT_OPTIONS = ("noexec", "nosuid", "nodev", "ro")


class MachineSize(FactsPart):
    """The size of the machine, as its own programs see it."""

    cpus: int | None
    memory_mb: int | None
    disk_mb: int | None
    """Size of the file system of /."""
    disk_free_mb: int | None
    tmp_mount_options: tuple[str, ...] | None
    """Of the mount that holds /tmp: `noexec` breaks package installs and callr."""


def _check(section: Section) -> None:
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
    check_pairs(section, {"memory-kb": lambda text: whole(text, "the memory")})


def _parse(answer: ProbeAnswer) -> MachineSize:
    section = answer.first("machine")
    rows = [line.split("\t") for line in section.lines] if section is not None else []
    found = {row[0]: row[1:] for row in rows if len(row) > 1 and row[0] != "mount"}
    # The last mount on a place is the one that shows
    mounts = {row[1]: row[2] for row in rows if row[0] == "mount"}
    options = mounts.get("/tmp", mounts.get("/"))  # noqa: S108  (a name in a table)
    memory_kb = whole_number(next(iter(found.get("memory-kb", [])), None))
    if memory_kb is None:
        memory_kb = whole_number(answer.values("hidden-memory").get("memory-kb"))
    disk_kb = [whole_number(text) for text in found.get("disk-kb", [])]
    size_kb, free_kb = disk_kb if len(disk_kb) == 2 else (None, None)  # noqa: PLR2004
    return MachineSize(
        cpus=whole_number(next(iter(found.get("cpus", [])), None)),
        memory_mb=memory_kb // 1024 if memory_kb is not None else None,
        disk_mb=size_kb // 1024 if size_kb is not None else None,
        disk_free_mb=free_kb // 1024 if free_kb is not None else None,
        tmp_mount_options=tuple(options.split(",")) if options else None,
    )


def whole_number(text: str | None) -> int | None:
    """Parse a whole number; None for anything else."""
    return int(text) if text and text.isdecimal() else None


def tmp_options(facts: Facts) -> Reading:
    """Return the options of the mount that holds /tmp: what it forbids."""
    options = facts[MachineSize].tmp_mount_options
    if options is None:
        raise CannotReadError("the mounts could not be read")
    return {"": frozenset(option for option in options if option in _MOUNT_OPTIONS)}


def cpus(facts: Facts) -> Reading:
    """Count the processors."""
    return _measured(facts[MachineSize].cpus)


def memory(facts: Facts) -> Reading:
    """Return the machine's memory, in MB."""
    for one in facts.not_seen:
        if one.what == "memory":
            raise CannotReadError(one.why)
    return _measured(facts[MachineSize].memory_mb)


def disk(facts: Facts) -> Reading:
    """Return the size of the file system of /, in MB."""
    return _measured(facts[MachineSize].disk_mb)


def _measured(value: int | None) -> Reading:
    if value is None:
        raise CannotReadError("it could not be measured")
    return {"": float(value)}


def _stated(plan: Plan, _: Hashes) -> Stated:
    return {
        "machine.cpus": {"": float(plan.machine.cpus)},
        "machine.memory": {
            "": PlannedNumber(
                plan.machine.memory_mb, least_share=MEMORY_LEAST, most_share=MEMORY_MOST
            )
        },
        "machine.disk": {"": float(plan.machine.disk_gb * 1024)},
    }


def _makes(facts: Facts, making: Making) -> Iterator[Made]:
    """Its size, as far as the sandbox's computer can give it, and what that takes away."""
    size, room = facts[MachineSize], making.room
    for key, actual, most in (
        ("cpus", None if size.cpus is None else max(1, size.cpus), room.cpus),
        ("memory_mb", _rounded(size.memory_mb), room.memory_mb),
        ("disk_gb", _gigabytes(size.disk_mb), room.disk_gb),
    ):
        if actual is None:
            yield Unsaid(f"{key} of production could not be seen: the sandbox has the default")
            continue
        yield Change(("machine", key), min(actual, most))
        if actual > most:
            yield Unsaid(f"{key} of production is {actual}: more than there is here")
    if "noexec" in (size.tmp_mount_options or ()):
        yield Unsaid("nothing in the temporary folder can be run there (noexec)")


_ROUND_MB = 256


def _rounded(memory_mb: int | None) -> int | None:
    """The kernel keeps a part for itself: back to what the machine was given."""
    if memory_mb is None:
        return None
    return max(_ROUND_MB, -(-memory_mb // _ROUND_MB) * _ROUND_MB)


def _gigabytes(disk_mb: int | None) -> int | None:
    return max(4, -(-disk_mb // 1024)) if disk_mb is not None else None


MACHINE = Subject(
    name="machine",
    rank=50,
    part=MachineSize,
    required=True,
    sections={
        "machine": Shape(_check, required=True, not_empty=True),
        "hidden-memory": Shape(_hidden_memory),
    },
    parse=_parse,
    kinds=(
        kind_of_machine(
            "system.tmp",
            Consequence.FAILS,
            80,
            title="how /tmp is mounted",
            how="set",
            why="noexec on /tmp breaks installing packages from source",
            bug="r-lib/ps/issues/84",
            read=tmp_options,
        ),
        kind_of_machine(
            "machine.cpus",
            Consequence.SPEED,
            10,
            title="processors",
            how="number",
            why="code that starts a worker for each processor is slower, or too much "
            "for the memory",
            bug="futureverse/parallelly/issues/80",
            read=cpus,
        ),
        kind_of_machine(
            "machine.memory",
            Consequence.SPEED,
            20,
            title="memory, in MB",
            how="number",
            why="with less, R is killed in the middle of what works with more",
            bug="SingleR-inc/SingleR/issues/214",
            read=memory,
            tolerance=0.1,
        ),
        kind_of_machine(
            "machine.disk",
            Consequence.SPEED,
            30,
            title="disk, in MB",
            how="number",
            why="R needs room in its temporary folder, as much as the largest file it unpacks",
            bug="rstudio/shiny-server/issues/480",
            read=disk,
            tolerance=0.25,
        ),
    ),
    stated=_stated,
    makes=_makes,
)
