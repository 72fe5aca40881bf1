"""The host names of seats, and whether they are safe to put into a proxy's configuration."""

from typing import Final

_CLAIM: Final = "claim"


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
