"""What this host can give to sandboxes in Incus: three figures, and no more is asked."""

from collections.abc import Callable

import pytest

from sandbox.errors import ProviderError
from sandbox.providers.incus import limits
from sandbox.providers.incus.place import IncusPlace
from sandbox.providers.place import Place


def free(found: float | Exception | None) -> Callable[[IncusPlace], float | None]:
    def ask(_: IncusPlace) -> float | None:
        if isinstance(found, Exception):
            raise found
        return found

    return ask


@pytest.mark.parametrize(
    ("in_pool", "expected"),
    [(7.9, 7), (99.0, 50), (None, 50), (ProviderError("Incus does not answer"), 50)],
)
def test_the_smaller_free_space_counts(
    in_pool: float | Exception | None, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "free_gb", lambda _: 50.6)
    monkeypatch.setattr(limits, "free_in_pool", free(in_pool))
    found = limits.incus_limits(IncusPlace.at(Place("test")))
    assert found is not None
    assert found.free_disk_gb == expected
    assert found.cpus > 0
    assert found.memory_mb > 0
