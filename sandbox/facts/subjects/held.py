"""Packages that an upgrade leaves alone: held by dpkg, or pinned by apt."""

from sandbox.facts.kind import Consequence, NotThereError, Reading, kind_of_machine
from sandbox.facts.part import FactsModel, ListPart
from sandbox.facts.shapes import Shape, rows
from sandbox.facts.subject import Facts, ProbeAnswer, Subject
from sandbox.probe.readers import plain, row


class HeldPackage(FactsModel):
    """A package that an upgrade does not treat like the others."""

    name: str
    """`all-packages` for apt's `*`. What dpkg does not have, a pattern too, is told by its hash."""
    how: str
    """`hold`, or the pin: `release n=bookworm-backports priority 500`."""


class HeldPackages(ListPart[HeldPackage]):
    """Those that dpkg holds and those that apt's preferences name."""


def _check_row(line: str) -> None:
    package, how = row(line, "a held package", least=2, most=2)
    plain(package, "a held package's name")
    plain(how, "how it is held")


def _parse(answer: ProbeAnswer) -> HeldPackages | None:
    section = answer.first("held")
    if section is None:
        return None
    found = [line.partition("\t") for line in section.lines if line]
    return HeldPackages(tuple(HeldPackage(name=name, how=how) for name, _, how in sorted(found)))


def _read(facts: Facts) -> Reading:
    found: dict[str, list[str]] = {}
    held = facts.get(HeldPackages)
    if held is None:
        raise NotThereError("no dpkg holds packages there")
    for one in held:
        found.setdefault(one.name, []).append(one.how)
    return {name: "; ".join(how) for name, how in found.items()}


HELD = Subject(
    name="held_packages",
    rank=146,
    # The address of a repository is nobody's business: a pin by origin is told by its hash
    takes="=pinned: all-packages\n"
    "=pin: hold|(version [0-9]{1,4}([.:][0-9*]{1,4})*([+~-][a-z0-9.*]{1,12})*"
    "|release ([alnv]=[A-Za-z][a-z]{1,12}(-[a-z]{1,10})*,? ?)+) priority -?[0-9]{1,5}\n",
    part=HeldPackages,
    sections={"held": Shape(rows(_check_row))},
    parse=_parse,
    kinds=(
        kind_of_machine(
            "held",
            Consequence.BEHAVIOUR,
            85,
            title="a package that upgrades leave alone",
            how="exact",
            why="it stays as old as it is while all around it is upgraded, until they do not fit",
            bug="linuxmint/mintupgrade-legacy/issues/20",
            read=_read,
        ),
    ),
)
