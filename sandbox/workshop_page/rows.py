"""What the trainer's page shows of a view, in words; rounded, for a row to change seldom. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sandbox.clean import clean
from sandbox.workshop.stuck import Rank, Stuck, ranks
from sandbox.workshop.view import ExerciseResult, MemberView, SeatView, WorkshopView

_MEMORY_STEP_MB: Final = 10
_MOST_CHARS: Final = 200
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400
_LATE: Final = 5
"""Minutes after which a copy of a home counts as old."""
_BUSY_PERCENT: Final = 5


@dataclass(frozen=True)
class Mark:
    """How one exercise stands: a sign for the eye, words for the ear."""

    name: str
    sign: str
    words: str
    detail: str = ""


@dataclass(frozen=True)
class Row:
    """One seat, as its row says it."""

    number: int
    word: str
    url: str
    name: str
    email: str
    state: str
    reason: str
    """Why its person may be stuck; empty when nothing is wrong."""
    asked: bool
    activity: str
    cpu: str
    memory: str
    disk: str
    error: str
    marks: tuple[Mark, ...]
    saved: str
    member: str
    has_person: bool


@dataclass(frozen=True)
class ClassSummary:
    """The lines above the table."""

    people: int
    claimed: int
    spare: int
    stuck: int
    oldest_copy: str
    oldest_is_late: bool
    left: str
    ends_soon: bool
    members: tuple[MemberView, ...]
    claim_url: str
    notices: tuple[str, ...]


def rows_of(view: WorkshopView, *, by_seat: bool = False) -> tuple[Row, ...]:
    """Make the rows in their order: who is stuck comes first, unless `by_seat`."""
    rows = (row_of(rank, view) for rank in ranks(view))
    return tuple(sorted(rows, key=lambda row: row.number)) if by_seat else tuple(rows)


def row_of(rank: Rank, view: WorkshopView) -> Row:
    """Make the row of one seat."""
    seat = rank.seat
    look = seat.look
    error = look.error.strip().splitlines()[-1:] if look is not None else []
    has_person = bool(seat.name)
    return Row(
        number=seat.number,
        word=seat.word,
        url=seat.url,
        name=short(seat.name),
        email=short(seat.email),
        state=_state(seat),
        reason=_reason(rank),
        asked=seat.asked_at is not None,
        activity=ago(look.active_at if look is not None else None, view.at),
        cpu=_cpu(seat.cpu_percent),
        memory=_memory(seat),
        disk="" if seat.disk_mb is None else size(seat.disk_mb),
        error=short(error[0]) if error else "",
        marks=tuple(_mark(name, seat.exercises) for name in view.exercises),
        saved=ago(seat.home_saved_at, view.at),
        member=seat.member,
        has_person=has_person,
    )


def summary_of(view: WorkshopView) -> ClassSummary:
    """Make the lines above the table."""
    people = [seat for seat in view.seats if seat.name]
    saved = [seat.home_saved_at for seat in people if seat.is_claimed]
    never = None in saved
    times = [one for one in saved if one is not None]
    oldest = min(times) if times and not never else None
    late = never or (oldest is not None and (view.at - oldest).total_seconds() > _LATE * _MINUTE_S)
    left_s = None if view.ends is None else (view.ends - view.at).total_seconds()
    return ClassSummary(
        people=len(people),
        claimed=sum(seat.is_claimed for seat in people),
        spare=sum(seat.is_spare for seat in view.seats),
        stuck=sum(one.why is not Stuck.NO and bool(one.seat.name) for one in ranks(view)),
        oldest_copy="none yet" if oldest is None else ago(oldest, view.at),
        oldest_is_late=late and bool(saved),
        left=_left(left_s),
        ends_soon=left_s is not None and left_s < 15 * _MINUTE_S,
        members=view.members,
        claim_url=view.claim_url,
        notices=tuple(clean(one) for one in view.notices),
    )


def ago(at: datetime | None, now: datetime) -> str:
    """Say how long ago something was, in steps that grow; empty when it never was."""
    if at is None:
        return ""
    seconds = (now - at).total_seconds()
    if seconds < _MINUTE_S:
        return "just now"
    if seconds < _HOUR_S:
        return f"{int(seconds // _MINUTE_S)} min ago"
    if seconds < _DAY_S:
        return f"{int(seconds // _HOUR_S)} h ago"
    return f"{int(seconds // _DAY_S)} days ago"


def moment(seconds: float) -> str:
    """Say a moment that a seat names, by our clock; what is no moment is empty."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC).astimezone():%d %b %H:%M:%S}"
    except (OverflowError, OSError, ValueError):
        return ""


def size(megabytes: int) -> str:
    """Say a size in steps."""
    if megabytes < 1000:  # noqa: PLR2004
        rounded = round(megabytes / _MEMORY_STEP_MB) * _MEMORY_STEP_MB
        return f"{rounded or megabytes} MB"
    return f"{megabytes / 1024:.1f} GB"


def short(text: str) -> str:
    """Return one line of a stranger's text that fits into a cell."""
    text = " ".join(clean(text).split())
    return text if len(text) <= _MOST_CHARS else text[: _MOST_CHARS - 1] + "…"


def _reason(rank: Rank) -> str:
    # The error's own words have a column
    return rank.words.partition(": ")[0] if rank.why is Stuck.ERROR else short(rank.words)


def _state(seat: SeatView) -> str:
    if seat.retired:
        return f"{seat.state}, out of use"
    if seat.is_spare:
        return f"{seat.state}, spare"
    return str(seat.state) if seat.is_claimed else f"{seat.state}, not claimed"


def _cpu(percent: float | None) -> str:
    if percent is None:
        return ""
    # Small changes say nothing, and each one would send the row again
    return "idle" if percent < _BUSY_PERCENT else f"{round(percent / 5) * 5} %"


def _memory(seat: SeatView) -> str:
    if seat.memory_mb is None:
        return ""
    used = round(seat.memory_mb / _MEMORY_STEP_MB) * _MEMORY_STEP_MB
    return f"{used} of {seat.memory_limit_mb} MB"


def _mark(name: str, results: Mapping[str, ExerciseResult]) -> Mark:
    result = results.get(name)
    if result is None:
        return Mark(name, "·", "not looked at yet")
    detail = short(result.words)
    if result.holds is None:
        return Mark(name, "?", "could not be looked at", detail)
    return Mark(name, "✓", "done", detail) if result.holds else Mark(name, "✗", "not done", detail)


def _left(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds <= 0:
        return "over"
    minutes = int(seconds // _MINUTE_S)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
