"""What a seat says of itself: cleaned, bounded, and by our own clock."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandbox.workshop.seat_answer import parse_answer

AT = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)


def said(**changes: Any) -> str:
    usual = {
        "now": 1000.0,
        "typed": 0.0,
        "changed": 0.0,
        "home_bytes": 3 * 1024 * 1024 + 5,
        "session_error": "",
        "session_error_at": 0.0,
    }
    return json.dumps(usual | changes)


def test_the_newest_of_both_is_the_last_activity_by_our_clock() -> None:
    look = parse_answer(said(typed=940.0, changed=400.0)).look(AT)
    assert look.active_at == AT - timedelta(seconds=60)
    assert (look.error, look.error_at, look.home_mb) == ("", None, 3)


def test_nothing_is_known_and_a_clock_may_be_wrong() -> None:
    assert parse_answer(said()).look(AT).active_at is None
    # A file of the future
    assert parse_answer(said(changed=99_999.0)).look(AT).active_at == AT
    assert parse_answer(said(home_bytes=None)).look(AT).home_mb is None


def test_an_error_is_one_clean_line() -> None:
    text = "ERROR \x1b[31mred\u202e\nsecond"
    look = parse_answer(said(session_error=text, session_error_at=900.0)).look(AT)
    assert "\x1b" not in look.error
    assert "\u202e" not in look.error
    assert "\n" not in look.error
    assert look.error_at == AT - timedelta(seconds=100)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        said(typed=-1),
        said(typed=float("nan")),
        said(now=1e300),
        said(session_error="x" * 401),
        said(more=1),
        said(home_bytes=-1),
        said(files=[{"path": "a", "at": 1.0, "bytes": 1}] * 101),
        "[" * 100_000,
        " " * (3 * 1024 * 1024),
    ],
)
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_answer(text)
