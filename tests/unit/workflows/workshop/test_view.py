"""What the trainer sees, and who is first."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from sandbox.workflows.workshop import keeper, proxy
from sandbox.workflows.workshop.view import view
from sandbox.workshop.home_notes import note_home
from sandbox.workshop.names import seat_word
from sandbox.workshop.seat_map import Seat
from sandbox.workshop.stuck import Stuck, ranks
from sandbox.workshop.view import SeatLook, SeatState
from tests.unit.workflows.workshop.conftest import Classroom

VIEW = "sandbox.workflows.workshop.view"
TEXT = "version: 1\nbox: shiny\nroster: people.csv\nspare: 1\n"


def now() -> datetime:
    return datetime.now(UTC)


def roster(classroom: Classroom) -> None:
    people = classroom.folder / "people.csv"
    people.write_text("name\nAda\nBo\nCy\nDi\n", encoding="utf-8")


@pytest.fixture(autouse=True)
def running(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "keeper_runs", lambda _: True)
    monkeypatch.setattr(proxy, "proxy_runs", lambda _: True)


def test_states_and_uses(classroom: Classroom) -> None:
    roster(classroom)
    ws = classroom.up(TEXT)
    classroom.seats.stop("ws-class-02-g1")
    seen = view(ws, cpu_percents={"ws-class-01-g1": 25.0})
    first, second = seen.seats[:2]
    assert (first.state, first.cpu_percent, first.memory_mb) == (SeatState.READY, 25.0, 100)
    assert (second.state, second.cpu_percent, second.memory_mb) == (SeatState.OFF, None, None)
    assert first.url == "http://seat01.localhost:8080/"
    assert [one.name for one in seen.seats] == ["Ada", "Bo", "Cy", "Di", ""]
    assert seen.claim_url == "http://claim.localhost:8080/"
    assert seen.notices == ()


def test_a_lost_server_is_said_first(classroom: Classroom, monkeypatch: pytest.MonkeyPatch) -> None:
    roster(classroom)
    classroom.seats.member_names = ("n1", "n2")
    ws = classroom.up(TEXT)
    classroom.seats.dead = {"n2"}
    monkeypatch.setattr(f"{VIEW}.answers", lambda _: False)
    seen = view(ws)
    lost = [one.word for one in seen.seats if one.member == "n2"]
    assert lost
    assert all(one.state is SeatState.LOST for one in seen.seats if one.word in lost)
    assert seen.notices[0] == f"n2 does not answer: {', '.join(lost)}"
    assert [(one.name, one.online, one.seats) for one in seen.members] == [
        ("n1", True, 5 - len(lost)),
        ("n2", False, len(lost)),
    ]


def test_a_seat_that_goes_on_under_a_dead_daemon_is_not_called_lost(
    classroom: Classroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    roster(classroom)
    classroom.seats.member_names = ("n1", "n2")
    ws = classroom.up(TEXT)
    classroom.seats.dead = {"n2"}
    there = [one for one in ws.map().seats if one.member == "n2"]
    (alive,) = there[0].upstreams.values()
    monkeypatch.setattr(f"{VIEW}.answers", lambda upstream: upstream == alive)
    seen = view(ws)
    states = {one.number: one.state for one in seen.seats if one.member == "n2"}
    assert states.pop(there[0].number) is SeatState.READY
    assert states
    assert set(states.values()) == {SeatState.LOST}
    assert "but these seats there do" in seen.notices[0]
    assert seen.notices[0].endswith(f"homes: {seat_word(there[0].number)}")
    assert seen.notices[1].startswith("n2 does not answer: seat")


def test_what_does_not_run_is_said(classroom: Classroom, monkeypatch: pytest.MonkeyPatch) -> None:
    roster(classroom)
    ws = classroom.up(TEXT)
    monkeypatch.setattr(keeper, "keeper_runs", lambda _: False)
    monkeypatch.setattr(proxy, "proxy_runs", lambda _: False)
    record = ws.store.change_record(
        lambda one: one.model_copy(
            update={
                "ends": now() + timedelta(minutes=5, seconds=50),
                "opened_at": now() - timedelta(hours=1),
            }
        )
    )
    assert record.ends is not None
    note_home(ws.store, 2, lambda one: one.model_copy(update={"trouble": "no room"}))
    notices = view(classroom.ws()).notices
    assert [one.split(",")[0].split(":")[0] for one in notices] == [
        "the proxy does not run",
        "homes are not being copied",
        "the newest copy of the home failed",
        "it ends in 5 min; more time",
    ]


def look(**changes: object) -> SeatLook:
    return SeatLook(at=now(), active_at=now()).model_copy(update=changes)


def test_who_is_stuck_comes_first(classroom: Classroom) -> None:
    roster(classroom)
    ws = classroom.up(TEXT)
    for number, minutes in ((3, 1), (4, 7)):
        changes = {"asked_at": now() - timedelta(minutes=minutes)}
        ws.store.change_seat(number, partial(Seat.model_copy, update=changes))
    looks = {
        1: look(error="object 'x' not found", error_at=now() - timedelta(minutes=2)),
        2: look(error="old", error_at=now() - timedelta(minutes=9)),
        3: look(),
        4: look(),
    }
    found = ranks(view(ws, looks=looks))
    assert [one.seat.number for one in found] == [4, 3, 1, 2, 5]
    assert [one.why for one in found] == [
        Stuck.ASKED,
        Stuck.ASKED,
        Stuck.ERROR,
        Stuck.NO,
        Stuck.NO,
    ]
    assert found[0].words == "asked for help 7 min ago"
    assert found[2].words == "error 2 min ago: object 'x' not found"


def test_silence_means_something_only_while_others_work(classroom: Classroom) -> None:
    roster(classroom)
    ws = classroom.up(TEXT)
    long_ago = now() - timedelta(minutes=30)
    looks = {1: look(active_at=long_ago), 2: look(), 3: look(), 4: look(active_at=None)}
    found = {one.seat.number: one for one in ranks(view(ws, looks=looks))}
    assert found[1].words == "last did something 30 min ago"
    assert found[4].words == "has done nothing yet"
    pause = {one: look(active_at=long_ago) for one in (1, 2, 3, 4)}
    assert all(one.why is Stuck.NO for one in ranks(view(ws, looks=pause)))
