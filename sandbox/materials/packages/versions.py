"""Versions of R and of its packages, compared as R's `numeric_version` does."""

import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import total_ordering
from typing import Final, Self

_VERSION: Final = re.compile(r"[0-9]+(?:[.-][0-9]+)*")
_REQUIREMENT: Final = re.compile(
    r"\s*(?P<name>[A-Za-z][A-Za-z0-9.]*)\s*(?:\(\s*(?P<op>[<>=!]{1,2})\s*(?P<version>[^)\s]+)\s*\))?\s*"
)


@total_ordering
class Version:
    """A version, as text and as the numbers that R compares: 1.2-3 is 1.2.3, and after 1.2."""

    __slots__ = ("parts", "text")

    def __init__(self, text: str) -> None:
        """Read the version.

        Raises:
            ValueError: R would not take it for one.
        """
        if not _VERSION.fullmatch(text):
            raise ValueError(f"{text!r} is not a version of R's")
        self.text = text
        self.parts = tuple(int(part) for part in re.split("[.-]", text))

    @property
    def minor(self) -> str:
        """The first two numbers, `4.2`: packages built for one minor of R are not for another."""
        return ".".join(str(part) for part in self.parts[:2])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self.parts == other.parts

    def __lt__(self, other: "Version") -> bool:
        return self.parts < other.parts

    def __hash__(self) -> int:
        return hash(self.parts)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Version({self.text!r})"


_OPERATORS: Final[dict[str, Callable[[Version, Version], bool]]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
    "==": operator.eq,
    "=": operator.eq,
    "!=": operator.ne,
}


@dataclass(frozen=True)
class Requirement:
    """A package that another one needs, and perhaps which versions of it."""

    name: str
    operator: str = ""
    version: str = ""

    def holds(self, version: str) -> bool:
        """Tell whether that version will do; one that R cannot read will not."""
        if not self.operator:
            return True
        try:
            return _OPERATORS[self.operator](Version(version), Version(self.version))
        except ValueError:
            return False

    def __str__(self) -> str:
        """As in a DESCRIPTION: `Matrix (>= 1.5-0)`."""
        return f"{self.name} ({self.operator} {self.version})" if self.operator else self.name

    @classmethod
    def of(cls, text: str) -> Self | None:
        """Read one entry of Depends; None when it is none."""
        found = _REQUIREMENT.fullmatch(text)
        if found is None or (found["op"] and found["op"] not in _OPERATORS):
            return None
        return cls(found["name"], found["op"] or "", found["version"] or "")


def requirements(*fields: str) -> tuple[Requirement, ...]:
    """Read the fields Depends, Imports and LinkingTo; what is no entry is left out."""
    return tuple(_requirements(fields))


def _requirements(fields: tuple[str, ...]) -> Iterator[Requirement]:
    for field in fields:
        for part in field.split(","):
            if part.strip() and (found := Requirement.of(part)) is not None:
                yield found
