"""Who needs the trainer most: the order of seats on the page, and the reasons in words. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from statistics import median
from typing import Final

from sandbox.workshop.view import SeatState, SeatView, WorkshopView

FRESH_ERROR: Final = timedelta(minutes=10)
"""So long an error counts as the one that somebody is stuck at."""
QUIET: Final = timedelta(minutes=10)
"""So long somebody does nothing before that is worth a look."""
_BEHIND: Final = 2
"""So many exercises fewer than half of the class has."""
_FULL: Final = 0.9
_ASKED, _DOWN, _ERROR, _MEMORY, _QUIET_WORTH, _BEHIND_WORTH = 100, 80, 40, 30, 20, 15


def order(view: WorkshopView) -> tuple[SeatView, ...]:
    """Return the seats, those first whose person is most likely stuck; spare ones last."""
    usual = _usual(view)
    worth = {seat.number: _worth(reasons_of(seat, view.at, usual)) for seat in view.seats}

    def rank(seat: SeatView) -> tuple[bool, int, datetime, int]:
        # Of two who ask, the one who has waited longer
        since = seat.asked_at or view.at
        return (not seat.name, -worth[seat.number], since, seat.number)

    return tuple(sorted(view.seats, key=rank))


def reasons(view: WorkshopView) -> Mapping[int, tuple[str, ...]]:
    """Say of each seat why it may need the trainer, in a few words; the worst first."""
    usual = _usual(view)
    return {
        seat.number: tuple(words for _, words in reasons_of(seat, view.at, usual))
        for seat in view.seats
    }


def reasons_of(seat: SeatView, at: datetime, usual: float) -> tuple[tuple[int, str], ...]:
    """List the reasons of one seat, each with its weight; `usual` exercises hold elsewhere."""
    if not seat.name:
        return ()
    found = []
    look = seat.look
    if seat.asked_at is not None:
        found.append((_ASKED, "asks for help"))
    if seat.state in {SeatState.LOST, SeatState.OFF}:
        found.append((_DOWN, "has no machine that answers"))
    if look is not None and look.error and look.error_at and at - look.error_at < FRESH_ERROR:
        found.append((_ERROR, "has an error"))
    if seat.memory_mb is not None and seat.memory_mb > _FULL * seat.memory_limit_mb:
        found.append((_MEMORY, "is out of memory soon"))
    if look is not None and look.active_at and at - look.active_at > QUIET:
        found.append((_QUIET_WORTH, "does nothing"))
    if usual - _held(seat) >= _BEHIND:
        found.append((_BEHIND_WORTH, "is behind"))
    return tuple(found)


def _worth(found: tuple[tuple[int, str], ...]) -> int:
    return sum(weight for weight, _ in found)


def _held(seat: SeatView) -> int:
    return sum(one.holds is True for one in seat.exercises.values())


def _usual(view: WorkshopView) -> float:
    people = [_held(seat) for seat in view.seats if seat.name]
    return median(people) if people else 0.0
