"""From what a machine printed to facts: the boundary between what was read and what is believed."""

from pydantic import BaseModel

from sandbox.facts import registry
from sandbox.facts.facts import Facts, NotSeen, ProbeRun
from sandbox.facts.r_said import ProbeAnswer, answer_of
from sandbox.facts.shapes import checked, require_whole
from sandbox.facts.subjects.r import require_views
from sandbox.probe.frame import Frame, read_frame
from sandbox.probe.readers import SectionError, reading


def facts_of(output: str, boundary: str, *, where: str) -> Facts:
    """Read the facts in the probe's answer: all of it is believed, or none.

    Args:
        output: all that was printed, with whatever a banner or a profile added.
        boundary: the word that starts every line of the probe's own.
        where: the machine, for the message.

    Raises:
        CutOffError: the answer has no end.
        SectionError: a section of it makes no sense, or one that every server has is missing.
    """
    return believed(read_frame(output, boundary), where=where)


def believed(frame: Frame, *, where: str) -> Facts:
    """Read the facts in a complete answer.

    Raises:
        SectionError: a section of it makes no sense, or one that every server has is missing.
    """
    try:
        require_whole(frame, registry.sections())
        require_views(frame, registry.r_lines())
        return parse_answer(frame)
    except SectionError as error:
        raise SectionError(error.section, error.kind, where=where) from error


def parse_answer(frame: Frame) -> Facts:
    """Read the facts in a complete frame. What is absent in it is no part, or in `not_seen`.

    Raises:
        SectionError: a section is not as the probe writes it; then nothing is believed.
    """
    return made_of(answer_of(checked(frame, registry.sections())))


def made_of(answer: ProbeAnswer) -> Facts:
    """Make the facts of an answer whose sections have their shapes.

    Raises:
        SectionError: no part can be made of a section.
    """
    parts: list[BaseModel] = []
    unseen: list[NotSeen] = []
    for subject in registry.subjects():
        with reading(next(iter(subject.sections), "r-view")):
            part = subject.parse(answer) if subject.parse is not None else None
        if part is not None:
            parts.append(part)
        if subject.unseen is not None:
            unseen += subject.unseen(answer)
    stated = [
        NotSeen(what=what, why=why)
        for section in answer.all("not-seen")
        for what, why in section.pairs()
    ]
    with reading("run"):
        run = _run(answer)
    not_seen = dict.fromkeys((*unseen, *_root_cut_off(answer)))
    return Facts(probe=run, parts=tuple(parts), not_seen=(*stated, *not_seen))


def _run(answer: ProbeAnswer) -> ProbeRun:
    user, uid, taken_at = answer.args("run", 3)
    root = uid == "0" or answer.first("root") is not None
    return ProbeRun(user=user, privileged=root, taken_at=taken_at)


def _root_cut_off(frame: Frame) -> tuple[NotSeen, ...]:
    """The part that runs as root is a process of its own, and may end on its own."""
    if frame.first("root") is None or frame.first("root-end") is not None:
        return ()
    return (
        NotSeen(what="some of what only root sees", why="the part that ran as root was cut off"),
    )
