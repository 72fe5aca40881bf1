"""What a seat says of itself when it is looked into; checked and cleaned here.

It comes from a machine in which a learner may do much: all of it is text, and bounded.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from sandbox.clean import clean
from sandbox.workshop.view import SeatLook

_MOST_BYTES: Final = 2 * 1024 * 1024
_MOST_LETTERS: Final = 300
_LAST_YEAR: Final = 9000 * 365 * 24 * 3600.0
_MB: Final = 1024 * 1024

_Word = Annotated[str, StringConstraints(max_length=400), AfterValidator(clean)]
_Text = Annotated[str, StringConstraints(max_length=64 * 1024), AfterValidator(clean)]
_Seconds = Annotated[float, Field(ge=0, le=_LAST_YEAR, allow_inf_nan=False)]
"""Since 1970; 0 for never."""
_Count = Annotated[int, Field(ge=0, le=2**62)]


class _FromSeat(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SeatProcess(_FromSeat):
    """A process of the person."""

    pid: _Count
    command: _Word
    cpu_s: _Seconds
    memory_mb: _Count


class SeatFile(_FromSeat):
    """A file in the home."""

    path: _Word
    at: float = Field(allow_inf_nan=False)
    """When it was changed; whatever its owner says."""
    bytes: _Count


class SeatLog(_FromSeat):
    """The end of a log."""

    name: _Word
    at: _Seconds
    text: _Text


class SeatAnswer(_FromSeat):
    """The answer of `templates/workshop/look`."""

    now: _Seconds
    """The seat's own clock: times are only compared with this."""
    typed: _Seconds
    changed: _Seconds
    home_bytes: _Count | None
    session_error: _Word
    session_error_at: _Seconds
    processes: Annotated[tuple[SeatProcess, ...], Field(max_length=100)] = ()
    files: Annotated[tuple[SeatFile, ...], Field(max_length=100)] = ()
    logs: Annotated[tuple[SeatLog, ...], Field(max_length=20)] = ()

    def look(self, at: datetime) -> SeatLook:
        """Return what the trainer's page shows of it."""
        error = self.session_error.replace("\n", " ")[:_MOST_LETTERS]
        return SeatLook(
            at=at,
            active_at=self._moment(max(self.typed, self.changed), at),
            error=error,
            error_at=self._moment(self.session_error_at, at) if error else None,
            home_mb=None if self.home_bytes is None else self.home_bytes // _MB,
        )

    def _moment(self, seconds: float, at: datetime) -> datetime | None:
        """That moment by our own clock; the future is now."""
        if not seconds:
            return None
        ago_s = max(0.0, self.now - seconds)
        return datetime.fromtimestamp(max(0.0, at.timestamp() - ago_s), UTC)


class SeatInside(BaseModel):
    """A seat seen from within, for the trainer: nobody is logged in for that."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at: datetime
    look: SeatLook
    processes: tuple[SeatProcess, ...]
    files: tuple[SeatFile, ...]
    """The newest first."""
    logs: tuple[SeatLog, ...]


class SeatLooks(BaseModel):
    """What was seen last in each seat."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seats: Mapping[int, SeatLook] = {}


def parse_answer(text: str) -> SeatAnswer:
    """Read the answer of `templates/workshop/look`.

    Raises:
        ValueError: it has another form.
    """
    if len(text) > _MOST_BYTES:
        raise ValueError("the seat said too much of itself")
    try:
        return SeatAnswer.model_validate(json.loads(text))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
