"""How many seats are worked on side by side."""

from typing import Final

from sandbox.workflows.workshop.running import RunningWorkshop
from sandbox.workshop.arithmetic import AT_ONCE_PER_CPU

_MOST: Final = 32


def at_once(ws: RunningWorkshop) -> int:
    """Return how many machines are made side by side: two for each processor that carries them."""
    cpus = sum(one.cpus for one in ws.seats.members() if one.online)
    return max(1, min(_MOST, AT_ONCE_PER_CPU * cpus))
