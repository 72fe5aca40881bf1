"""Thirty of the thousand: `make soak` has the rest."""

import random
import time
from pathlib import Path

from tests.conftest import Host
from tests.soak import Soak

ROUNDS = 30


def test_thirty_random_kills_and_signals_are_recovered_from(host: Host, tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(10**6)
    soak = Soak(host, tmp_path, seed)
    # On a host where all takes three times as long, twenty will do
    rounds = soak.run(ROUNDS, until=time.monotonic() + 300)
    assert rounds >= 20, soak.wrong(f"only {rounds} rounds")
    soak.finish()
