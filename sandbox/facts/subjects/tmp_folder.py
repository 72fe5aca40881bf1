"""The rights of the folder for temporary files, /tmp."""

import re

from sandbox.facts.kind import Consequence, Reading, kind_of_machine
from sandbox.facts.part import FactsPart
from sandbox.facts.shapes import Shape, check_pairs
from sandbox.facts.subject import Facts, ProbeAnswer, Subject
from sandbox.probe.frame import Section
from sandbox.probe.readers import name, plain

_MODE = re.compile(r"[0-7]{3,4}")


class TmpFolder(FactsPart):
    """Who may write into /tmp."""

    mode: str
    """`1777` as a rule: everybody, and nobody removes another one's files."""
    owner: str


def _check(section: Section) -> None:
    def mode(text: str) -> str:
        return name(text, "the mode of /tmp", pattern=_MODE)

    check_pairs(
        section, {"tmp_mode": mode, "tmp_owner": lambda text: plain(text, "the owner of /tmp")}
    )


def _parse(answer: ProbeAnswer) -> TmpFolder | None:
    values = answer.values("tmp-folder")
    if "tmp_mode" not in values:
        return None
    return TmpFolder(mode=values["tmp_mode"], owner=values.get("tmp_owner", ""))


def _read(facts: Facts) -> Reading:
    return {"": f"{facts[TmpFolder].mode} {facts[TmpFolder].owner}"}


TMP_FOLDER = Subject(
    name="tmp_folder",
    rank=52,
    takes="=tmp_mode: [0-7]{3,4}\naccount: tmp_owner\n",
    part=TmpFolder,
    sections={"tmp-folder": Shape(_check)},
    parse=_parse,
    kinds=(
        kind_of_machine(
            "system.tmp-rights",
            Consequence.FAILS,
            75,
            title="mode and owner of /tmp",
            how="exact",
            why="who cannot write into it cannot start R: it makes its tempdir() there",
            bug="zalando-stups/taupage/issues/235",
            read=_read,
        ),
    ),
)
