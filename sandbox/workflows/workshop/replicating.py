"""What the keeper does for replicas of whole seats: one copy after the other, all the time."""

import time
from collections.abc import Callable
from typing import Final

from sandbox.errors import ProviderError
from sandbox.workflows.workshop import replicas
from sandbox.workflows.workshop.keeper import is_over
from sandbox.workflows.workshop.running import RunningWorkshop
from sandbox.workshop.names import seat_word
from sandbox.workshop.replica_notes import replica_notes

EVERY_S: Final = 5.0
"""How often to see which seat is due; how often one is due, the workshop file says."""
_TIDY_S: Final = 60.0


class ReplicasPart:
    """Copies each whole seat every so often, and removes what no seat can come back from."""

    def __init__(
        self,
        workshop: Callable[[], RunningWorkshop],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Look after the replicas of what `workshop` returns, as its files have it then."""
        self._workshop = workshop
        self._clock = clock
        self._tidy_at = self._next_at = clock()

    def do(self) -> None:
        """Copy the one seat that is most urgent, if it is its turn.

        Raises:
            HostError, ProviderError: it could not be copied, or the provider not be asked.
        """
        ws = self._workshop()
        notes = replica_notes(ws.store)
        is_wanted = ws.workshop.copies.seats
        if not (is_wanted or any(one.name for one in notes.seats.values())) or is_over(ws.store):
            return
        if self._clock() >= self._tidy_at:
            self._tidy_at = self._clock() + _TIDY_S
            replicas.tidy(ws)
        urgent = replicas.due(ws)[:1] if is_wanted else ()
        for number in urgent:
            # One that has none yet does not wait
            if notes.of(number).is_of(ws.seat(number)) and self._clock() < self._next_at:
                return
            seats = max(1, sum(one.ready for one in ws.map().seats))
            gap_s = ws.workshop.copies.seats_every_s / seats - EVERY_S
            self._next_at = self._clock() + max(0.0, gap_s)
            try:
                replicas.copy_seat(ws, number)
            except ProviderError as error:
                raise ProviderError(
                    f"the whole of {seat_word(number)} was not copied: {error.message}",
                    details=error.details,
                ) from error
