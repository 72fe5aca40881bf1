"""Find our lines in a machine's output; banners, profiles and the like may print too."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "\\": "\\"}


def unescape(text: str) -> str:
    """Return one field of a line as it was before the probe escaped it."""
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), text)


class CutOffError(Exception):
    """The probe did not reach its end."""

    def __init__(self, section: str = "") -> None:
        super().__init__(section)
        self.section = section
        """The last section that it began; empty when it began none."""

    @property
    def place(self) -> str:
        """The place of the cut, in words."""
        return f"cut off in the section `{self.section}`" if self.section else ""


@dataclass(frozen=True)
class Section:
    """A part of the probe's raw answer."""

    name: str
    args: tuple[str, ...]
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """The lines as one text."""
        return "\n".join(self.lines)

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Yield the lines that are `name TAB value`."""
        for line in self.lines:
            name, tab, value = line.partition("\t")
            if tab:
                yield name, value


@dataclass(frozen=True)
class Frame:
    """Everything between the probe's first line and its last."""

    boundary: str
    sections: tuple[Section, ...]

    def all(self, name: str) -> tuple[Section, ...]:
        """List every section called `name`, in the order they came."""
        return tuple(section for section in self.sections if section.name == name)

    def first(self, name: str) -> Section | None:
        """Find the first section called `name`."""
        return next(iter(self.all(name)), None)

    def lines(self, name: str) -> tuple[str, ...]:
        """Return the lines of the first section called `name`; empty when it is absent."""
        section = self.first(name)
        return section.lines if section is not None else ()

    def values(self, name: str) -> dict[str, str]:
        """Return the `name TAB value` lines of a section; the last one counts."""
        section = self.first(name)
        return dict(section.pairs()) if section is not None else {}


def read_frame(output: str, boundary: str) -> Frame:
    """Cut `output` into sections; text before the first and after `end` is dropped.

    Raises:
        CutOffError: there is no `end`.
    """
    mark = f"{boundary}\tsection\t"
    sections: list[Section] = []
    name: str | None = None
    lines: list[str] = []
    args: tuple[str, ...] = ()
    # Not splitlines(): form feeds and the like are part of a line here
    for line in output.replace("\r\n", "\n").split("\n"):
        if not line.startswith(mark):
            lines.append(line)
            continue
        if name is not None:
            sections.append(Section(name, args, _trimmed(lines)))
        name, *rest = line.removeprefix(mark).split("\t")
        args, lines = tuple(rest), []
        if name == "end":
            return Frame(boundary, tuple(sections))
    raise CutOffError(name if name is not None and _NAME.fullmatch(name) else "")


def _trimmed(lines: list[str]) -> tuple[str, ...]:
    """Remove the empty line that our own framing may have added."""
    while lines and not lines[-1]:
        lines.pop()
    return tuple(lines)
