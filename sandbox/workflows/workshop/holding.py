"""Hold a seat for a short piece of work, when nobody else is at it."""

from typing import Final

from sandbox.deadline import Deadline, keep_trying
from sandbox.errors import BusyError
from sandbox.locks import HeldError, Lock
from sandbox.workflows.workshop.running import RunningWorkshop
from sandbox.workshop.names import seat_word

USUAL_S: Final = 20.0
"""A copy of a home takes a moment, a reset a few seconds."""


def hold_seat(ws: RunningWorkshop, number: int, *, wait_s: float = USUAL_S) -> Lock:
    """Hold a seat, as soon as nobody else does; leaving a `with` releases it.

    Raises:
        BusyError: another command has been at it for so long.
    """
    try:
        return keep_trying(
            lambda: ws.store.hold_now(seat_word(number)),
            Deadline(wait_s),
            despite=HeldError,
            every_s=0.1,
            again=lambda _: wait_s > 0,
        )
    except HeldError:
        raise BusyError(
            f"another command is at work at {seat_word(number)}",
            hint="do it again when that is done: what is there already stays as it is",
        ) from None
