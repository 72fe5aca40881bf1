"""Moments and times, as people type them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from sandbox.errors import UsageError
from sandbox.workshop.moments import duration, moment
from sandbox.workshop.names import workshop_name

NOW = datetime(2026, 12, 1, 9, 30, 7, tzinfo=timezone(timedelta(hours=1)))


@pytest.mark.parametrize(
    ("text", "minutes"), [("30m", 30), ("2h", 120), ("1h30m", 90), ("45", 45), ("1H 30M", None)]
)
def test_times(text: str, minutes: int | None) -> None:
    if minutes is None:
        with pytest.raises(UsageError, match="is no time"):
            duration(text)
    else:
        assert duration(text) == timedelta(minutes=minutes)


@pytest.mark.parametrize("text", ["", "0m", "-5m", "m", "h", "1d", "99999m", "٣m"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(UsageError, match="is no time"):
        duration(text)


def test_moments() -> None:
    assert moment("17:30", NOW) == NOW.replace(hour=17, minute=30, second=0)
    assert moment("2026-12-02T08:00", NOW) == datetime(2026, 12, 2, 8, 0, tzinfo=NOW.tzinfo)
    assert moment("2026-12-02T08:00+00:00", NOW) == datetime(2026, 12, 2, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize("text", ["25:00", "17:61", "noon", "", "17:30:99"])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(UsageError, match="is no moment"):
        moment(text, NOW)


@pytest.mark.parametrize(
    ("stem", "name"), [("class", "class"), ("R for all", "r-for-all"), ("r_4.2", "r-4-2")]
)
def test_names_of_workshops(stem: str, name: str) -> None:
    assert workshop_name(stem) == name


@pytest.mark.parametrize("stem", ["4th", "a" * 38, "a-01-g1", "-a", "a-", "á", "", "a/b", "a;b"])
def test_what_is_no_name_of_a_workshop(stem: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name of a workshop"):
        workshop_name(stem)
