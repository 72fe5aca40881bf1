"""Points in time that a provider keeps with an image or a snapshot, as text."""

from datetime import UTC, datetime
from typing import Final

NEVER: Final = datetime.min.replace(tzinfo=UTC)
"""The time that stands for "unfinished"."""


def moment_of(text: str) -> datetime | None:
    """Parse a point in time; None for other text: an image with such a text must not be used."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
