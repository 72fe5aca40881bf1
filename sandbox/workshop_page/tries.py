"""How often somebody may guess: so many times in so long, for each address that asks."""

import time
from collections import deque
from collections.abc import Callable
from typing import Final

_MOST_KEYS: Final = 10_000


class Tries:
    """Counts the wrong tries of each address. Used from one thread."""

    def __init__(
        self, most: int, within_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most, self._within_s, self._clock = most, within_s, clock
        self._wrong: dict[str, deque[float]] = {}

    def wait_s(self, key: str) -> int:
        """Return how many seconds this address must wait before its next try; 0 for none."""
        wrong = self._recent(key)
        if len(wrong) < self._most:
            return 0
        return int(wrong[0] + self._within_s - self._clock()) + 1

    def was_wrong(self, key: str) -> None:
        """Note a wrong try."""
        wrong = self._recent(key)
        wrong.append(self._clock())
        if key not in self._wrong and len(self._wrong) >= _MOST_KEYS:
            # Somebody has very many addresses: the oldest is forgotten
            del self._wrong[next(iter(self._wrong))]
        self._wrong[key] = wrong

    def _recent(self, key: str) -> deque[float]:
        wrong = self._wrong.get(key) or deque(maxlen=self._most)
        while wrong and wrong[0] + self._within_s <= self._clock():
            wrong.popleft()
        return wrong
