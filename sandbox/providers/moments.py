"""Points in time that a provider keeps with an image or a snapshot, as text."""

from datetime import UTC, datetime
from typing import Final

NEVER: Final = datetime.min.replace(tzinfo=UTC)
"""When what is unfinished was made."""


def moment_of(text: str) -> datetime | None:
    """A point in time; None for what is none: nothing may count on an image that says that."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
