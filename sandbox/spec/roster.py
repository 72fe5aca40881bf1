"""Who comes to a workshop: a CSV file with the columns `name` and, if there, `email`."""

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox.plain_file import NotPlainError, read_plain
from sandbox.spec.problem import Problem, code, near

_MAX_BYTES: Final = 1024 * 1024
_MAX_CHARACTERS: Final = 100
_COLUMNS: Final = ("name", "email")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\Z")


@dataclass(frozen=True)
class Person:
    """Somebody who gets a seat."""

    name: str
    email: str = ""
    """Empty when the roster has none."""


def read_roster(path: Path) -> tuple[tuple[Person, ...], tuple[Problem, ...]]:
    """Read the file as a spreadsheet writes it; return the people, and all that is wrong.

    Commas, semicolons or tabs; with or without a byte order mark.
    """
    try:
        text = read_plain(path, max_bytes=_MAX_BYTES).decode("utf-8-sig")
    except (NotPlainError, UnicodeDecodeError) as error:
        is_text = isinstance(error, UnicodeDecodeError)
        why = "it is not UTF-8: save it as `CSV UTF-8`" if is_text else str(error)
        return (), (Problem(path, 0, "", why),)
    reading = _RosterReading(path)
    first, _, _ = text.partition("\n")
    separator = max(",;\t", key=first.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for row in rows:
            reading.take(row, rows.line_num)
    except csv.Error as error:
        reading.wrong(rows.line_num, f"it is not CSV: {error}")
    if not reading.has_head and not reading.problems:
        reading.wrong(0, "it is empty", "Its first line names the columns: name,email")
    elif not reading.people and not reading.problems:
        reading.wrong(0, "nobody is in it", "Write a line for each person below the first one")
    return tuple(reading.people), tuple(reading.problems)


class _RosterReading:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._places: dict[str, int] = {}
        self._seen: dict[str, int] = {}
        self.has_head = False
        self.people: list[Person] = []
        self.problems: list[Problem] = []

    def wrong(self, line: int, message: str, suggestion: str = "") -> None:
        self.problems.append(Problem(self._path, line, "", message, suggestion))

    def take(self, row: list[str], line: int) -> None:
        cells = [cell.strip() for cell in row]
        if not any(cells):
            return
        if not self.has_head:
            self.has_head = True
            self._head(cells, line)
        elif "name" in self._places:
            self._person(cells, line)

    def _head(self, cells: list[str], line: int) -> None:
        names = [cell.lower().replace("-", "") for cell in cells]
        self._places = {name: names.index(name) for name in _COLUMNS if name in names}
        if "name" not in self._places:
            cure = near(cells[0], _COLUMNS) or "The first line names the columns: name,email"
            self.wrong(line, "it has no column `name`", cure)

    def _person(self, cells: list[str], line: int) -> None:
        found = {key: cells[at] if at < len(cells) else "" for key, at in self._places.items()}
        name, email = found["name"], found.get("email", "")
        if not name:
            self.wrong(line, "this line has no name")
        elif not name.isprintable() or len(name) > _MAX_CHARACTERS:
            self.wrong(line, f"a name is one line of at most {_MAX_CHARACTERS} characters")
        elif email and not (_EMAIL.match(email) and email.isprintable()):
            self.wrong(line, f"{code(email)} is no e-mail address")
        elif (first := self._seen.setdefault(email.lower() or name.lower(), line)) != line:
            who = code(email or name)
            self.wrong(line, f"{who} is there twice; first in line {first}")
        else:
            self.people.append(Person(name, email))
