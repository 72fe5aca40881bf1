"""Typed readers of single fields: each returns a value, or says what kind of value was wrong.

Their errors name the kind of line and the field, never the text itself: the text came from a
stranger, and may hold something that must not be shown.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pydantic import ValidationError

from sandbox.errors import HostError
from sandbox.probe.untaken import is_placeholder

LARGEST: Final = 2**53
"""The largest size: other JSON readers do not keep larger integers exactly."""
PORTS: Final = range(65536)
IDS: Final = range(2**32)
"""The largest id of users and groups."""

_WHOLE = re.compile(r"[0-9]{1,20}")
_VERSION = re.compile(r"[0-9A-Za-z][^\s]*")
# C0, DEL and C1: no name, path or version has one of these
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_LONGEST = 4096


class MalformedError(ValueError):
    """A text of the wrong form; the error says which form was wanted."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class SectionError(HostError):
    """A section of the probe's answer that is not as the probe writes it; all of it is refused."""

    def __init__(self, section: str, kind: str, *, where: str = "") -> None:
        of = f" of {where}" if where else ""
        super().__init__(
            f"the answer{of} makes no sense in the section `{section}`",
            details=f"not as the probe writes it: {kind}",
            hint="run it again; when it stays so, something over there changes what programs "
            "print, or sandbox's probe is wrong: please report the section's name",
        )
        self.section = section
        self.kind = kind


@contextmanager
def reading(section: str) -> Iterator[None]:
    """Refuse `section` when the block finds it malformed.

    Raises:
        SectionError: a reader, or the model of the facts, refused it.
    """
    try:
        yield
    except MalformedError as error:
        raise SectionError(section, error.kind) from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        fields = (str(part) for part in first["loc"] if isinstance(part, str))
        kind = f"{error.title}.{next(fields, '')}".removesuffix(".")
        raise SectionError(section, kind) from error


def whole(text: str, kind: str, *, within: range | None = None) -> int:
    """Read a whole number, in bounds.

    Raises:
        MalformedError: it is not a whole number, or out of bounds.
    """
    if not _WHOLE.fullmatch(text):
        raise MalformedError(kind)
    number = int(text)
    if number not in (range(LARGEST) if within is None else within):
        raise MalformedError(kind)
    return number


def word(text: str, kind: str, *, of: tuple[str, ...]) -> str:
    """Read one of a few words.

    Raises:
        MalformedError: it is another word.
    """
    if text not in of:
        raise MalformedError(kind)
    return text


def flag(text: str, kind: str) -> bool | None:
    """Read R's TRUE, FALSE or NA.

    Raises:
        MalformedError: it is something else.
    """
    return {"TRUE": True, "FALSE": False, "NA": None}[word(text, kind, of=("TRUE", "FALSE", "NA"))]


def name(text: str, kind: str, *, pattern: re.Pattern[str] | None = None) -> str:
    """Read a name: not empty, not endless, without a control character; or a placeholder.

    Raises:
        MalformedError: it is not a name, or does not match `pattern`.
    """
    known = pattern is None or pattern.fullmatch(text) is not None or is_placeholder(text)
    if not text or not known:
        raise MalformedError(kind)
    return plain(text, kind)


def plain(text: str, kind: str) -> str:
    """Read a text of one line; it may be empty.

    Raises:
        MalformedError: it has a control character, half a character, or is too long.
    """
    if len(text) > _LONGEST or _CONTROL.search(text):
        raise MalformedError(kind)
    return text


def path(text: str, kind: str) -> str:
    """Read an absolute path, or the placeholder of one.

    Raises:
        MalformedError: it is not an absolute path.
    """
    if not text.startswith("/") and not is_placeholder(text):
        raise MalformedError(kind)
    return plain(text, kind)


def version(text: str, kind: str) -> str:
    """Read a version as packages have it.

    Raises:
        MalformedError: it is empty, or has a blank.
    """
    return name(text, kind, pattern=_VERSION)


def row(line: str, kind: str, *, least: int, most: int, separator: str = "\t") -> tuple[str, ...]:
    """Read the fields of a line.

    Raises:
        MalformedError: there are fewer or more than there should be.
    """
    fields = tuple(line.split(separator))
    if not least <= len(fields) <= most:
        raise MalformedError(kind)
    return fields
