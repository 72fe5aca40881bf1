"""What removes old files from /tmp and /var/tmp: systemd-tmpfiles, timers, jobs of cron."""

from sandbox.facts.kind import Consequence, Reading, kind_of_machine
from sandbox.facts.part import FactsModel, ListPart
from sandbox.facts.shapes import Shape, rows
from sandbox.facts.subject import Facts, ProbeAnswer, Subject
from sandbox.probe.readers import plain, row


class Cleaner(FactsModel):
    """A rule or a job that removes old files."""

    name: str
    """`tmpfiles /tmp`, `systemd-tmpfiles-clean.timer`, `tmpreaper`."""
    when: str
    """The age of what is removed, the state of a timer, how often a job runs."""


class Cleaners(ListPart[Cleaner]):
    """All that was found."""


def _check_row(line: str) -> None:
    name, when = row(line, "what cleans", least=2, most=2)
    plain(name, "the name of what cleans")
    plain(when, "when it cleans")


def _parse(answer: ProbeAnswer) -> Cleaners | None:
    section = answer.first("cleaning")
    if section is None:
        return None
    # The first rule of tmpfiles for a folder counts: the others are of no effect
    found: dict[str, str] = {}
    for line in section.lines:
        name, _, when = line.partition("\t")
        if name:
            found.setdefault(name, when)
    return Cleaners(tuple(Cleaner(name=name, when=found[name]) for name in sorted(found)))


def _read(facts: Facts) -> Reading:
    return {one.name: one.when for one in facts[Cleaners]}


CLEANING = Subject(
    name="cleaners",
    rank=84,
    takes="=cleaner: tmpfiles (/var)?/tmp|tmpreaper|tmpwatch"
    "|[a-z]{1,12}([_-][a-z]{1,12})*[.]timer\n"
    "=cleans: never|daily|0|[~]?([0-9]{1,4}(us|ms|s|min|m|h|d|w|month|y) ?)+"
    "|enabled|disabled|static|masked|indirect|generated|enabled-runtime|linked|alias|transient\n",
    part=Cleaners,
    sections={"cleaning": Shape(rows(_check_row))},
    parse=_parse,
    kinds=(
        kind_of_machine(
            "cleaning",
            Consequence.FAILS,
            78,
            title="what removes old temporary files",
            how="exact",
            why="an R that runs for weeks loses its tempdir(), with all that it put there",
            bug="NixOS/nixpkgs/issues/86600",
            read=_read,
        ),
    ),
)
