"""From what a machine printed to facts: the boundary between what was read and what is believed."""

from typing import Final

from sandbox.probe.facts import Facts
from sandbox.probe.frame import Frame, read_frame
from sandbox.probe.parse import parse
from sandbox.probe.readers import SectionError

_OF_EVERY_SERVER: Final = ("run", "identity", "uname", "localtime", "machine", "passwd", "group")
_MADE_OF_LINES: Final = ("identity", "machine", "passwd", "group")
_SAID_BY_EVERY_R: Final = ("user", "version_string", "version", "home", "umask", "sort_probe")
"""Of each view; what else R may have failed to tell, and then says so."""


def facts_of(output: str, boundary: str, *, where: str) -> Facts:
    """The facts in the probe's answer: all of it is believed, or none.

    Args:
        output: all that was printed, with whatever a banner or a profile added.
        boundary: the word that starts every line of the probe's own.
        where: the machine, for the message.

    Raises:
        CutOffError: the answer has no end.
        SectionError: a section of it makes no sense, or one that every server has is missing.
    """
    frame = read_frame(output, boundary)
    try:
        _require_whole(frame)
        return parse(frame)
    except SectionError as error:
        raise SectionError(error.section, error.kind, where=where) from error


def _require_whole(frame: Frame) -> None:
    """An answer without a fact is no server's."""
    for name in _OF_EVERY_SERVER:
        section = frame.first(name)
        if section is None:
            raise SectionError(name, "it is missing, and every server has it")
        if name in _MADE_OF_LINES and not section.lines:
            raise SectionError(name, "it is empty, and no server's is")
    _require_views(frame)


def _require_views(frame: Frame) -> None:
    """Every R that was found was started, and either told of itself or failed."""
    views = [section for section in frame.sections if section.name in ("r-view", "r-failed")]
    tried = {section.args[2] for section in views if len(section.args) > 2}  # noqa: PLR2004
    found = frame.lines("r-found")
    if any(line and line.partition("\t")[0] not in tried for line in found):
        raise SectionError("r-view", "it is missing for an R that was found")
    for section in frame.all("r-view"):
        mark = f"{frame.boundary}\tfact\t"
        kinds = {
            line.removeprefix(mark).partition("\t")[0]
            for line in section.lines
            if line.startswith(mark)
        }
        if missing := [kind for kind in _SAID_BY_EVERY_R if kind not in kinds]:
            raise SectionError("r-view", f"the fact `{missing[0]}` is missing")
