"""The words of `cache prune` and `cache list`."""

from datetime import timedelta

import pytest

from sandbox.cli.cache import duration, size
from sandbox.errors import UsageError


@pytest.mark.parametrize(
    ("text", "time"),
    [("0d", timedelta(0)), ("12h", timedelta(hours=12)), ("30d", timedelta(days=30))],
)
def test_times(text: str, time: timedelta) -> None:
    assert duration(text) == time


@pytest.mark.parametrize("text", ["", "30", "d", "-1d", "1.5d", "30 d", "999999d", "1m"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(UsageError, match="is not a length of time"):
        duration(text)


def test_sizes() -> None:
    assert [size(number) for number in (None, 0, 345_000_000, 1_200_000_000)] == [
        "",
        "0 MB",
        "345 MB",
        "1.2 GB",
    ]
