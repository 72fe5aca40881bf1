"""Give a seat a machine. A minimal form: the part that makes machines takes its place."""

from pathlib import Path

from sandbox.workflows.workshop.running import RunningWorkshop
from sandbox.workshop.seat_map import Seat


def bring_in(
    ws: RunningWorkshop, number: int, *, member: str | None = None, home: Path | None = None
) -> Seat:
    """Do as `bring` does, for a caller that holds the seat already."""
    raise NotImplementedError((ws, number, member, home))


def at_once(ws: RunningWorkshop) -> int:
    """Return how many machines are made side by side: two for each processor that carries them."""
    return max(1, 2 * sum(one.cpus for one in ws.seats.members() if one.online))
