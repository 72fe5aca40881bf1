"""Fifty of the thousand: `make soak` has the rest."""

import random
import time
from pathlib import Path

from tests.conftest import Host
from tests.soak import Soak

ROUNDS = 50


def test_fifty_random_kills_and_signals_are_recovered_from(host: Host, tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(10**6)
    soak = Soak(host, tmp_path, seed)
    # On a host where all takes three times as long, thirty will do
    rounds = soak.run(ROUNDS, until=time.monotonic() + 480)
    assert rounds >= 30, soak.wrong(f"only {rounds} rounds")
    soak.finish()
