"""A keeper of which both processes were killed: the next command starts it, and says so."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.errors import HostError
from sandbox.events import Event, Notice
from sandbox.workflows.workshop import keeper
from sandbox.workflows.workshop.running import RunningWorkshop
from sandbox.workshop.store import WorkshopStore
from tests.fakes.workshops import open_workshop_of

Room = tuple[RunningWorkshop, list[Event], list[str]]


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Room:
    """A workshop whose keeper has run and is gone; what is told; whose keeper was started."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    ws = open_workshop_of(2)
    told: list[Event] = []
    started: list[str] = []
    ws = replace(ws, context=replace(ws.context, listener=told.append))
    ws.store.part("logs")
    keeper.log_of(ws.store).write_text("it ran\n", encoding="utf-8")
    monkeypatch.setattr(keeper, "start_keeper", lambda store: started.append(store.name))
    return ws, told, started


def test_a_killed_keeper_is_started_and_that_is_said(room: Room) -> None:
    ws, told, started = room
    assert keeper.revive_keeper(ws)
    assert started == ["class"]
    words = "the keeper of class was killed (no home was copied and no lost server noticed since "
    assert told == [Notice("class", f"{words}then): it runs again")]


@pytest.mark.parametrize("which", [keeper.PARENT, keeper.CHILD])
def test_one_of_the_two_is_enough(room: Room, which: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ws, told, started = room
    monkeypatch.setattr(keeper, "_is_keeper", lambda _, pid: pid == os.getpid())
    with keeper.hold_patiently(ws.store, which, 1.0):
        assert not keeper.revive_keeper(ws)
    assert (told, started) == ([], [])


def test_one_that_never_ran_or_is_to_end_is_left_alone(room: Room) -> None:
    ws, told, started = room
    closing = replace(ws, record=ws.record.model_copy(update={"is_closing": True}))
    assert not keeper.revive_keeper(closing)
    # The first `up` is under way, or was cut off
    keeper.log_of(ws.store).unlink()
    assert not keeper.revive_keeper(ws)
    assert (told, started) == ([], [])


def test_no_command_fails_because_it_does_not_start(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    ws, told, _ = room

    def fail(_: WorkshopStore) -> None:
        raise HostError("the keeper of the workshop does not start")

    monkeypatch.setattr(keeper, "start_keeper", fail)
    assert not keeper.revive_keeper(ws)
    (said,) = told
    assert isinstance(said, Notice)
    assert "does not start; try: sandbox workshop up /" in said.text
