"""What the probe printed, with what each R process in it said about itself."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from sandbox.facts.facts import NotSeen
from sandbox.probe.frame import Frame, Section, unescape
from sandbox.probe.redact import redact_text

_NOT_TEXT = "\N{REPLACEMENT CHARACTER}"
"""Stands in an answer where its bytes were not UTF-8."""
_NAMED = {"environment": "the variable", "option": "the option", "repo": "the repository"}

# timeout(1): it asked R to end, or had to make it
ENDINGS: Final = {
    "124": "R did not answer in time",
    "137": "R was killed: memory ran out, or it did not answer in time",
}


@dataclass
class RSaid:
    """What one R process said, sorted by the kind of line."""

    seen_by: str
    how: str
    status: str
    """The exit status."""
    profile: str = ""
    """A personal .Rprofile that was not run."""
    startup_error: str | None = None
    noise: list[str] = field(default_factory=list)
    """What stands before its first line: start-up messages."""
    facts: dict[str, list[tuple[str, ...]]] = field(default_factory=dict)
    last_words: list[str] = field(default_factory=list)
    """What stands between the facts: words of a package while it is loaded."""
    unreadable: list[str] = field(default_factory=list)
    """What has a value that is no text, by its name."""

    def rows(self, kind: str) -> Sequence[tuple[str, ...]]:
        """Return every line of `kind`, as its fields."""
        return self.facts.get(kind, [])

    def one(self, kind: str) -> str:
        """Return the only value of `kind`, or an empty string."""
        rows = self.rows(kind)
        return rows[0][0] if rows else ""

    def column(self, kind: str) -> tuple[str, ...]:
        """Return the first field of each line of `kind`."""
        return tuple(row[0] for row in self.rows(kind))

    def table(self, kind: str) -> dict[str, str]:
        """Return `kind` as name → value."""
        return {name: value for name, value, *_ in self.rows(kind)}


@dataclass(frozen=True)
class ProbeAnswer(Frame):
    """All that the probe printed."""

    @cached_property
    def r(self) -> tuple[RSaid, ...]:
        """Each R process that told of itself."""
        return tuple(
            _said(self, section)
            for _, section in final_sections(self)
            if section.name != "r-failed"
        )

    @property
    def asked_for_libraries(self) -> bool:
        """Whether an R looked at the libraries of its packages."""
        return any(said.one("objects_checked") for said in self.r)

    @property
    def linked(self) -> tuple[tuple[str, str], ...] | None:
        """Libraries outside R, and the system package that each belongs to (or an empty string)."""
        if not self.asked_for_libraries:
            return None
        return tuple((path, owner) for said in self.r for path, owner in said.rows("linked"))

    def args(self, name: str, count: int) -> tuple[str, ...]:
        """Return `count` words of a section's head, filled up with empty ones."""
        section = self.first(name)
        args = section.args if section is not None else ()
        return (*args, *("" for _ in range(count - len(args))))[:count]


def answer_of(frame: Frame) -> ProbeAnswer:
    """Read what R said in the frame."""
    return ProbeAnswer(frame.boundary, frame.sections)


def final_sections(frame: Frame) -> Iterator[tuple[str, Section]]:
    """Yield the section that counts of each view: the last, as a failed start is tried again."""
    last: dict[tuple[str, str], Section] = {}
    for section in frame.sections:
        if section.name in ("r-view", "r-failed"):
            seen_by, _, home, *_ = section.args
            last[seen_by, home if seen_by == "login" else ""] = section
    for (seen_by, _), section in last.items():
        yield seen_by, section


def _startup_error(frame: Frame, view: Section) -> str | None:
    """What R said when it did not start with its site files, if that happened before this view."""
    for section in frame.all("r-failed"):
        if section.args[:3] == view.args[:3]:
            return _why_failed(section)
    return None


def _failed(seen_by: str, section: Section) -> NotSeen:
    inside = {"shiny": "R inside a Shiny app", "rstudio": "R inside an RStudio session"}
    what = inside.get(seen_by, f"R of {section.args[2]}")
    return NotSeen(what=what, why=_why_failed(section))


def _why_failed(section: Section) -> str:
    words = redact_text("\n".join(own_words(section.lines)).strip())
    if ending := ENDINGS.get(section.args[3]):
        return f"{ending}\n{words}".strip()
    return words or f"R ended with exit status {section.args[3]} and without a word"


def own_words(noise: Sequence[str]) -> Iterator[str]:
    """Yield R's own words, without what su says on Shiny Server's road to it."""
    return (line for line in noise if not line.startswith("su: ignoring --preserve-environment"))


def _said(answer: ProbeAnswer, section: Section) -> RSaid:
    seen_by, how, _, status, *profile = section.args
    said = RSaid(
        seen_by=seen_by,
        how=how,
        status=status,
        profile=profile[0] if profile else "",
        startup_error=_startup_error(answer, section),
    )
    _read(said, section.lines, answer.boundary)
    if how == "worker":
        # The app's own; ours may not have been raised to them
        said.facts["limit"] = [(line,) for line in _worker_limits(answer, seen_by)]
    return said


def _worker_limits(frame: Frame, seen_by: str) -> Sequence[str]:
    """Of the process that the view was taken like; older answers did not say whose."""
    sections = frame.all("worker-limits")
    return next((one.lines for one in sections if not one.args or one.args[0] == seen_by), ())


def _read(said: RSaid, lines: Sequence[str], boundary: str) -> None:
    started = False
    for line in lines:
        if not line.startswith(f"{boundary}\t"):
            # Before our first line it is start-up noise; later, words of a package being loaded
            (said.last_words if started else said.noise).append(line)
            continue
        started = True
        word, *fields = line.split("\t")[1:]
        if word != "fact":
            continue
        kind, *values = (unescape(value) for value in fields)
        if kind in _NAMED and any(_NOT_TEXT in value for value in values):
            said.unreadable.append(f"{_NAMED[kind]} {values[0]}")
            continue
        said.facts.setdefault(kind, []).append(tuple(values))
        if kind == "loading":
            said.last_words.clear()


def unseen_in_r(answer: ProbeAnswer) -> Iterator[NotSeen]:
    """Yield what R could not tell, or who of those that run it could not be asked."""
    ours = iter(answer.r)
    for seen_by, section in final_sections(answer):
        if section.name == "r-failed":
            yield _failed(seen_by, section)
        else:
            yield from _unseen_by(next(ours))


def _unseen_by(said: RSaid) -> Iterator[NotSeen]:
    for path, why in said.rows("code_failed"):
        yield NotSeen(what=path, why=why)
    for what in said.unreadable:
        yield NotSeen(what=f"{what} in R ({said.seen_by})", why="it has bytes that are not UTF-8")
    if not said.one("objects_checked") and (ending := ENDINGS.get(said.status)):
        yield NotSeen(what=f"libraries of R's packages ({said.seen_by})", why=ending)
    for what, words in said.rows("failed"):
        yield NotSeen(what=f"R's {what} ({said.seen_by})", why=redact_text(words))
