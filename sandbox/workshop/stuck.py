"""Who is stuck: what makes the trainer go there first. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Final

from sandbox.workshop.view import SeatState, SeatView, WorkshopView

ERROR_IS_NEW: Final = timedelta(minutes=5)
"""An error of R that is older than this is no reason to go there: its person has gone on."""
SILENT: Final = timedelta(minutes=10)
"""Who has done nothing for so long, while others work, may be lost."""
_OTHERS_WORK: Final = 0.5
"""The part of all others who must have been active for somebody's silence to mean anything."""


class Stuck(IntEnum):
    """Why somebody may be stuck; the more pressing, the higher."""

    NO = 0
    SILENT = 1
    ERROR = 2
    OFF = 3
    LOST = 4
    ASKED = 5


@dataclass(frozen=True)
class Rank:
    """One seat's place in the order, and why."""

    seat: SeatView
    why: Stuck
    words: str
    """For the trainer; empty when nothing is wrong."""


def ranks(view: WorkshopView) -> tuple[Rank, ...]:
    """Order the seats: who asked first is first, then what is off or lost, errors, silence.

    Seats of which nothing is wrong follow by number, then spare ones, then retired ones.
    """
    room = _room(view)
    found = [_rank(one, room) for one in view.seats]
    return tuple(sorted(found, key=_order))


def _order(rank: Rank) -> tuple[int, int, float, int]:
    seat = rank.seat
    kind = 2 if seat.retired else 1 if rank.why is Stuck.NO and seat.is_spare else 0
    since = seat.asked_at.timestamp() if rank.why is Stuck.ASKED and seat.asked_at else 0.0
    return (kind, -rank.why, since, seat.number)


@dataclass(frozen=True)
class _Room:
    """How many people are seen at work: counted once, not once for each seat."""

    now: datetime
    seen: int
    active: int


def _room(view: WorkshopView) -> _Room:
    people = [one for one in view.seats if _has_somebody(one)]
    active = sum(not _is_silent(one, view.at) for one in people)
    return _Room(view.at, len(people), active)


def _rank(seat: SeatView, room: _Room) -> Rank:
    why, words = next(_reasons(seat, room), (Stuck.NO, ""))
    return Rank(seat, why, words)


def _reasons(seat: SeatView, room: _Room) -> Iterator[tuple[Stuck, str]]:
    """The most pressing one first."""
    now, look = room.now, seat.look
    if seat.retired:
        return
    if seat.asked_at is not None:
        yield Stuck.ASKED, f"asked for help {_ago(seat.asked_at, now)}"
    if seat.state is SeatState.LOST:
        yield Stuck.LOST, f"its server {seat.member} does not answer"
    if seat.state is SeatState.OFF:
        yield Stuck.OFF, "its machine is off"
    if look is not None and look.error and look.error_at and now - look.error_at <= ERROR_IS_NEW:
        yield Stuck.ERROR, f"error {_ago(look.error_at, now)}: {look.error}"
    if look is not None and _is_silent(seat, now) and _others_work(seat, room):
        since = look.active_at
        words = f"last did something {_ago(since, now)}" if since else "has done nothing yet"
        yield Stuck.SILENT, words


def _is_silent(seat: SeatView, now: datetime) -> bool:
    if seat.is_spare or seat.look is None:
        return False
    active_at = seat.look.active_at
    return active_at is None or now - active_at > SILENT


def _others_work(silent: SeatView, room: _Room) -> bool:
    others = room.seen - _has_somebody(silent)
    return others > 0 and room.active >= _OTHERS_WORK * others


def _has_somebody(seat: SeatView) -> bool:
    return not (seat.is_spare or seat.retired) and seat.look is not None


def _ago(when: datetime, now: datetime) -> str:
    minutes = int((now - when).total_seconds() // 60)
    return "just now" if minutes < 1 else f"{minutes} min ago"
