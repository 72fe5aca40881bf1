"""How busy each machine is, from counters that are read often and move seldom.

Incus keeps its figures for 8 seconds: whoever looks every 2 seconds sees the counter of a busy
machine stand still, and then jump. So a share of the processor is measured from one change of the
counter to another, some seconds later, and holds until the next.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from sandbox.providers.seats import SeatUse

LEAST_S: Final = 12.0
"""More than Incus keeps a figure: a shorter time says little."""
IDLE_S: Final = 30.0
"""A counter that has not moved for so long belongs to a machine that does nothing."""


@dataclass(frozen=True)
class _CpuReading:
    """A counter as it was read last, and from where its share is measured."""

    cpu_s: float
    moved_at: float
    """When it was seen to move last."""
    from_cpu_s: float
    from_at: float
    has_moved: bool = False
    """Before it has, nobody knows how old the first figure was."""
    percent: float | None = None


class CpuMeter:
    """Remembers the counters of machines from look to look."""

    def __init__(self) -> None:
        self._readings: dict[str, _CpuReading] = {}

    def percents(self, uses: Mapping[str, SeatUse], now: float) -> dict[str, float]:
        """Take what was read at `now`, in seconds; return the known percents of one cpu."""
        self._readings = {
            name: _next(self._readings.get(name), use.cpu_s, now) for name, use in uses.items()
        }
        return {
            name: one.percent for name, one in self._readings.items() if one.percent is not None
        }


def _next(last: _CpuReading | None, cpu_s: float, now: float) -> _CpuReading:
    # It counts from zero again when the machine was started again
    if last is None or cpu_s < last.cpu_s:
        return _CpuReading(cpu_s, now, cpu_s, now)
    anew = _CpuReading(cpu_s, now, cpu_s, now, has_moved=True, percent=last.percent)
    if cpu_s == last.cpu_s:
        return last if now - last.moved_at < IDLE_S else replace(anew, percent=0.0)
    elapsed_s = now - last.from_at
    if not last.has_moved:
        return anew
    if elapsed_s < LEAST_S:
        return replace(last, cpu_s=cpu_s, moved_at=now)
    return replace(anew, percent=round(100 * (cpu_s - last.from_cpu_s) / elapsed_s, 1))
