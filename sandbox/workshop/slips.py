"""What learners get in hand: a page to print with a slip for each seat, and a CSV for mails."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.paths import data_dir

if TYPE_CHECKING:
    from jinja2 import Environment

_CSV_COLUMNS = ("seat", "name", "email", "url", "user", "secret")


@dataclass(frozen=True)
class Slip:
    """What one learner must know."""

    seat: str
    name: str
    """Empty for a spare seat: there is a line to write on."""
    email: str
    url: str
    user: str
    secret: str

    @property
    def qr(self) -> str:
        """The address as a picture, an SVG without a size of its own."""
        import segno

        picture = segno.make(self.url, error="m", micro=False)
        return picture.svg_inline(omitsize=True, border=2, dark="#000", light="#fff")


def slips_page(title: str, slips: Sequence[Slip], *, is_encrypted: bool) -> str:
    """Write the page to print: it needs no other file, and every value in it is escaped."""
    template = page_environment().get_template("workshop/slips.html.j2")
    return template.render(title=title, slips=slips, is_encrypted=is_encrypted)


def slips_csv(slips: Iterable[Slip]) -> str:
    """Write the table for a mail merge. No cell is a formula to a spreadsheet."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(_CSV_COLUMNS)
    for one in slips:
        writer.writerow(_harmless(getattr(one, column)) for column in _CSV_COLUMNS)
    return text.getvalue()


def _harmless(cell: str) -> str:
    """A spreadsheet runs what begins like a formula; names of people come from others."""
    return f"'{cell}" if cell[:1] in {"=", "+", "-", "@", "\t"} else cell


@cache
def page_environment() -> "Environment":
    """Make the Jinja environment of all pages of a workshop: every value is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(Path(data_dir("templates"))),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
