"""In which machines nothing has happened: what the keeper need not copy, or look into, again.

The processor time of a machine tells. The keeper's own copies and looks need some of it, too: that
is taken off, or each of them would be a reason for the other, for ever.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from sandbox.errors import SandboxError
from sandbox.providers.seats import Seats, SeatUse

_QUIET_S: Final = 0.02
"""Seconds of processor: with no more than that nothing has happened in a seat."""
_IDLE_SHARE: Final = 0.002
"""The part of a processor that servers and timers of a seat need while nobody works there: measured
0.1 % with RStudio Server and Shiny. For looks alone: no work is lost by one that comes late."""
_COPIES_TRUST: Final = 5
_LOOKS_TRUST: Final = 30
"""A quiet seat is asked all the same every so many times: what happened in the very moment of the
last time would else be missed until something else happens."""
_LOOKS_QUIET_S: Final = 0.05
_BEHIND_S: Final = 1.0
"""For looks, what the machines use is asked of all at once. That answer may lack the newest copy's
part, and where it comes from times are a few percent off: so no two sources are compared."""
_OURS_S: Final = 0.3
"""More than that no look and no copy of an unchanged home takes: the rest was its person."""


@dataclass
class Quiet:
    """Knows in which machines nothing has happened since they were looked into."""

    trust: int
    """A quiet machine is not taken for quiet every so many times."""
    idle_share: float = 0.0
    """The part of a processor that it uses all the time."""
    clock: Callable[[], float] = time.monotonic
    least_s: float = _QUIET_S
    """With no more than that nothing has happened."""
    behind_s: float = _QUIET_S
    """By how much an answer may lag behind; with less than that, it was started again."""
    others: list["Quiet"] = field(default_factory=list)
    """Those that must not take our looks for work."""
    _seen: dict[str, tuple[float, float]] = field(default_factory=dict)
    _passed: dict[str, int] = field(default_factory=dict)

    def is_quiet(self, machine: str, use: SeatUse | None) -> bool:
        """Tell whether a machine need not be looked into now."""
        if use is None or machine not in self._seen:
            return False
        before_s, at = self._seen[machine]
        idle_s = self.least_s + self.idle_share * (self.clock() - at)
        if not before_s - self.behind_s <= use.cpu_s <= before_s + idle_s:
            return False
        self._passed[machine] = self._passed.get(machine, 0) + 1
        return self._passed[machine] < self.trust

    def looked(self, machine: str, use: SeatUse | None, spent_s: float | None) -> None:
        """Keep what a machine had used when it was looked into.

        Args:
            machine: its name.
            use: the answer by which it was not quiet; the next ones come from the same place.
            spent_s: the time of its processor that the look took; None when that is not known.
        """
        self._passed[machine] = 0
        if use is None or spent_s is None:
            return
        self._seen[machine] = use.cpu_s + spent_s, self.clock()
        for other in self.others:
            other._spare(machine, spent_s)

    def _spare(self, machine: str, cpu_s: float) -> None:
        if machine in self._seen:
            seen_s, at = self._seen[machine]
            self._seen[machine] = seen_s + min(cpu_s, _OURS_S), at


def quiets(clock: Callable[[], float] = time.monotonic) -> tuple[Quiet, Quiet]:
    """Return one for the copies of homes and one for looks, which know of each other."""
    copies = Quiet(_COPIES_TRUST, clock=clock)
    looks = Quiet(_LOOKS_TRUST, _IDLE_SHARE, clock, _LOOKS_QUIET_S, _BEHIND_S)
    copies.others.append(looks)
    looks.others.append(copies)
    return copies, looks


def spent_s(before: SeatUse | None, after: SeatUse | None) -> float | None:
    """Say what a machine used between two answers; None when one is lacking, or it began anew."""
    if before is None or after is None or after.cpu_s < before.cpu_s:
        return None
    return after.cpu_s - before.cpu_s


def use_of(seats: Seats, machine: str) -> SeatUse | None:
    """Ask what a machine uses now; None also when it cannot be asked: then it counts as busy."""
    with suppress(SandboxError):
        return seats.use_of(machine)
    return None
