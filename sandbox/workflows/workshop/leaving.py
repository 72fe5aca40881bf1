"""Leave the machine of a seat for another one, and lose nothing that is written meanwhile.

The home is copied while the new machine starts. Before that one serves, all that runs in the old
one is stopped, and what has changed since is copied once more. If the new one does not come to
serve, the old one goes on as it was.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox.errors import ProviderError
from sandbox.workflows.workshop import homes, push
from sandbox.workflows.workshop.running import RunningWorkshop
from sandbox.workshop.names import seat_word
from sandbox.workshop.seat_map import Seat
from sandbox.workshop.stillness import MOVING_S

Copy = Callable[[int], homes.SavedHome | None]
"""Copies the home; before it, all that runs there is stopped for so many seconds. None: there is
no such copy, and it is not wanted either."""
_IN_TIME_S: Final = MOVING_S * 0.75
_TRIES: Final = 3


@dataclass(frozen=True)
class Leaving:
    """A machine that its seat is about to leave."""

    ws: RunningWorkshop
    seat: Seat
    copy: Copy
    first: Future[homes.SavedHome | None]
    keeps_home: bool

    def home(self) -> Path | None:
        """Return the archive for the new machine, as soon as it is there; None: it gets none.

        Raises:
            ProviderError: there is no copy, so the seat must not leave.
        """
        saved = self.first.result()
        return saved.file if saved is not None and self.keeps_home else None

    @contextmanager
    def for_good(self, new: str) -> Iterator[None]:
        """Bring the new machine what was written last; inside, the seat is given to it.

        Raises:
            ProviderError: it cannot be copied; all in the old machine goes on.
        """
        saved = self.first.result()
        if saved is None:
            yield
            return
        try:
            self._copy_the_rest(saved, new)
            yield
        except BaseException:
            homes.go_on(self.ws, self.ws.map().instance_of(self.seat))
            raise

    def _copy_the_rest(self, laid: homes.SavedHome, new: str) -> None:
        for _ in range(_TRIES):
            began = time.monotonic()
            last = self.copy(MOVING_S)
            if last is None:
                return
            if self.keeps_home and last.sha256 != laid.sha256:
                homes.lay_home(self.ws, new, last.file)
                # The home of before knows nothing of what was pushed since
                push.hand_out(self.ws, new)
                laid = last
            if time.monotonic() - began < _IN_TIME_S:
                return
        raise ProviderError(
            f"{seat_word(self.seat.number)} stays where it is: its home takes too long to copy",
            details=f"nothing may be written meanwhile, and that is {_IN_TIME_S:.0f} s at most",
            hint="is the host busy? do it again when it is not",
        )


@contextmanager
def leaving(
    ws: RunningWorkshop, seat: Seat, copy: Copy, *, keeps_home: bool = True
) -> Iterator[Leaving]:
    """Begin to copy the home of a seat that is to get another machine.

    Args:
        ws: the workshop.
        seat: as it is now.
        copy: copies its home; called at once, in a thread, and before the new machine serves.
        keeps_home: whether the new machine gets the home.
    """
    with ThreadPoolExecutor(max_workers=1) as one:
        first = one.submit(copy_context().run, copy, 0)
        yield Leaving(ws, seat, copy, first, keeps_home)
