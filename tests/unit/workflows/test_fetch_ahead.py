"""What is fetched while the base image is built."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Barrier
from typing import Any

import pytest

from sandbox.fetch.errors import AbsentFileError
from sandbox.images.build import Ahead
from sandbox.placement import Placement
from sandbox.providers.place import Place
from sandbox.workflows.context import Context
from sandbox.workflows.fetch_ahead import fetching_ahead
from tests.unit.factories import shiny_plan

LINE = "'http://mirror.example/{0}.deb' {0}_1_all.deb 7 SHA256:" + "a" * 64


@dataclass
class FakeFetcher:
    """Has nothing."""

    asked: list[str] = field(default_factory=list)
    both: Barrier = field(default_factory=lambda: Barrier(3))
    """Two that fetch side by side, and the test."""

    def obtain(self, urls: Sequence[str], *, sha256: str, max_bytes: int) -> Any:
        self.asked += urls
        self.both.wait(timeout=10)
        raise AbsentFileError("the mirror does not have it", url=urls[0])


@pytest.fixture
def fetcher(monkeypatch: pytest.MonkeyPatch) -> FakeFetcher:
    fake = FakeFetcher()
    monkeypatch.setattr(Context, "fetcher", lambda *_, **__: fake)
    return fake


def placement() -> Placement:
    return Placement(name="shiny", provider="incus", plan=shiny_plan())


def test_each_package_that_apt_names_is_fetched_and_a_failure_stops_nothing(
    fetcher: FakeFetcher,
) -> None:
    with fetching_ahead(placement(), Context(Place("sandbox"))) as ahead:
        assert ahead is not None
        assert ahead.packages == shiny_plan().apt_packages
        for line in (LINE.format("one"), "E: no such thing", LINE.format("two")):
            ahead.tell(line)
        fetcher.both.wait(timeout=10)
    assert sorted(fetcher.asked) == [
        "http://mirror.example/one.deb",
        "http://mirror.example/two.deb",
    ]


def test_a_server_elsewhere_fetches_by_itself(fetcher: FakeFetcher) -> None:
    with fetching_ahead(placement(), Context(Place("sandbox", remote="far"))) as ahead:
        assert ahead is None
    assert fetcher.asked == []


def test_a_box_without_packages_asks_nothing() -> None:
    assert Ahead((), print).mmdebstrap_options == ()


def test_names_of_packages_are_quoted() -> None:
    (option,) = Ahead(("r-base", "a;b"), print).mmdebstrap_options
    assert " 'a;b'; } 2>/dev/null" in option
