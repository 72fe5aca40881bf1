"""What is left on this host when the network of a workshop is gone."""

from pathlib import Path
from typing import Any, cast

import pytest

from sandbox.locks import hold, lock_path
from sandbox.providers.incus import seat_network
from sandbox.providers.incus.client import IncusClient, NotFoundError
from sandbox.providers.incus.place import IncusPlace
from sandbox.providers.incus.seat_network import SeatNetwork
from sandbox.providers.incus.seat_request import network_name
from sandbox.providers.incus.seat_servers import SeatServers


class Empty:
    """An Incus in which nothing is."""

    place = IncusPlace.from_prefix("sbxunit")

    def query(self, method: str, path: str, *_: Any, **__: Any) -> None:
        raise NotFoundError(f"{method} {path}: not found")


def test_with_the_network_of_a_workshop_its_lock_goes_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(seat_network, "open_dns", lambda _name: None)
    client = cast("IncusClient", Empty())
    name = network_name(client.place, "class")
    lock = lock_path(f"incus.{client.place.remote}.{client.place.project}.{name}")
    with hold(lock):
        pass
    assert lock.exists()
    SeatNetwork(client, cast("SeatServers", None)).clear("class")
    assert not lock.exists()
