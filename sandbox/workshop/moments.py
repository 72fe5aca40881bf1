"""The moments that people type: `17:30`, `2026-12-01T17:30+01:00`, and times such as `1h30m`."""

import re
from datetime import datetime, timedelta
from typing import Final

from sandbox.errors import UsageError
from sandbox.spec.problem import code

_DURATION: Final = re.compile(r"(?:(?P<hours>[0-9]{1,3})h)?(?:(?P<minutes>[0-9]{1,4})(?:m|min)?)?")
_CLOCK: Final = re.compile(r"([0-9]{1,2}):([0-9]{2})")


def duration(text: str) -> timedelta:
    """Read a time: `30m`, `2h`, `1h30m`, `45` (minutes).

    Raises:
        UsageError: it is none.
    """
    found = _DURATION.fullmatch(text.strip().lower())
    parts = found.groupdict(default="0") if found is not None else {}
    length = timedelta(**{unit: int(number) for unit, number in parts.items()})
    if not length:
        raise UsageError(f"{code(text)} is no time", hint="write 30m, 2h or 1h30m")
    return length


def moment(text: str, now: datetime) -> datetime:
    """Read a moment: a time of today, or a date and time; in the zone of `now` unless it says one.

    Raises:
        UsageError: it is none.
    """
    words = text.strip()
    clock = _CLOCK.fullmatch(words)
    try:
        if clock is not None:
            hour, minute = map(int, clock.groups())
            return now.replace(hour=hour, minute=minute, second=0, microsecond=0)
        found = datetime.fromisoformat(words)
    except ValueError:
        raise UsageError(
            f"{code(text)} is no moment", hint="write 17:30, or 2026-12-01T17:30+01:00"
        ) from None
    return found if found.tzinfo is not None else found.replace(tzinfo=now.tzinfo)
