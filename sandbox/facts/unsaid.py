"""What has no place in a box, in a comment of it: short, and never cut within a placeholder."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

_MOST: Final = 30
_LONGEST: Final = 300


def pairs(settings: Mapping[str, str]) -> str:
    """Join settings as `a=1; b=2`, no more of them than a person reads."""
    return listed([f"{key}={value}" if value else key for key, value in settings.items()])


def listed(items: Sequence[str]) -> str:
    """Join items, no more of them than a person reads."""
    short = [_cut(" ".join(item.split())) for item in items[:_MOST]]
    more = len(items) - _MOST
    return "; ".join(short) + (f"; and {more} more" if more > 0 else "")


def _cut(text: str) -> str:
    """Not within a placeholder."""
    if len(text) <= _LONGEST:
        return text
    return re.sub(r"<[^>]*$", "", text[:_LONGEST]) + "…"
