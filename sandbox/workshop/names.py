"""The names of a workshop and of its seats."""

import re
from typing import Final

from sandbox.errors import UsageError
from sandbox.spec.problem import code

_CLAIM: Final = "claim"
_MODEL: Final = "ws-"
_NAME: Final = re.compile(r"[a-z]([a-z0-9-]{0,35}[a-z0-9])?")
"""With the model's word before it, it must still be the name of a sandbox."""
_LIKE_A_SEAT: Final = re.compile(r".*-[0-9]{2,3}-g[0-9]+")


def workshop_name(stem: str) -> str:
    """Make a workshop's name of its file's: `R for all.workshop.yml` is `r-for-all`.

    Raises:
        UsageError: it would be no name for machines.
    """
    name = re.sub(r"[._ ]+", "-", stem.lower())
    if not _NAME.fullmatch(name) or _LIKE_A_SEAT.fullmatch(name):
        raise UsageError(
            f"{code(stem)} cannot be the name of a workshop",
            details="lower case letters, digits and dashes, a letter first, 37 at most; and not "
            "like the name of a seat's machine",
            hint="give the file another name, which ends with .workshop.yml",
        )
    return name


def model_name(workshop: str) -> str:
    """Name the sandbox that is made and checked once, and baked for all seats."""
    return f"{_MODEL}{workshop}"


def seat_host(number: int, domain: str) -> str:
    """Return the host name of a seat: `seat07.class.example.org`."""
    return f"{seat_word(number)}.{domain}"


def seat_word(number: int) -> str:
    """Return the name of a seat in commands and on slips: `seat07`."""
    return f"seat{number:02d}"


def claim_host(domain: str) -> str:
    """Return the host name of the page where learners claim a seat."""
    return f"{_CLAIM}.{domain}"


def seat_number(word: str) -> int | None:
    """Read what somebody types for a seat: `seat07`, `07` or `7`; None when it is none."""
    digits = word.lower().removeprefix("seat")
    if not (digits.isascii() and digits.isdecimal()) or len(digits) > 3:  # noqa: PLR2004
        return None
    return int(digits) or None


def url_of(host: str, port: int, *, tls: bool) -> str:
    """Write the address to type; the usual port is left out."""
    scheme, usual = ("https", 443) if tls else ("http", 80)
    return f"{scheme}://{host}/" if port == usual else f"{scheme}://{host}:{port}/"
