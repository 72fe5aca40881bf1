"""Commands that are killed at any point: done again, all is as if they had not been.

Each point is a call of the provider or a write into the folder; the process does nothing after it.
"""

from collections.abc import Callable

import pytest

from sandbox.workflows.workshop.add import add
from sandbox.workflows.workshop.down import close, close_remains
from sandbox.workflows.workshop.reset import reset
from sandbox.workflows.workshop.running import RunningWorkshop
from sandbox.workshop.seat_map import Holder
from tests.unit.workflows.workshop.conftest import Classroom, Cut, CutOffError

OF_UP, OF_RESET, OF_ADD, OF_DOWN = 40, 10, 24, 16
"""The points of each command, and some beyond its end."""
ADA = Holder(name="Ada")


def is_cut(
    classroom: Classroom, monkeypatch: pytest.MonkeyPatch, at: int, do: Callable[[], object]
) -> bool:
    """Do it, killed at that point; tell whether it came so far at all."""
    with monkeypatch.context() as patch:
        Cut(classroom.seats, patch, at)
        try:
            do()
        except CutOffError:
            return True
        return False


def assert_sound(classroom: Classroom, ws: RunningWorkshop, seats: int) -> None:
    """Every seat has one machine, that of its generation, and nothing else is there."""
    found = [one for one in ws.map().seats if not one.retired]
    assert len(found) == seats
    assert [one.number for one in found] == list(range(1, seats + 1))
    assert all(one.ready for one in found)
    wanted = {ws.map().instance_of(one) for one in found}
    assert set(classroom.seats.there) == wanted
    assert len(set(ws.store.secrets().seats.values())) == seats


@pytest.mark.parametrize("at", range(1, OF_UP))
def test_up(classroom: Classroom, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    cut = is_cut(classroom, monkeypatch, at, classroom.up)
    trainer = classroom.store.secrets().trainer if cut and classroom.store.exists() else None
    secrets = dict(classroom.store.secrets().seats) if classroom.store.exists() else {}
    ws = classroom.up()
    assert_sound(classroom, ws, 4)
    assert secrets.items() <= ws.store.secrets().seats.items()
    assert trainer in {None, ws.store.secrets().trainer}


@pytest.mark.usefixtures("saving")
@pytest.mark.parametrize("at", range(1, OF_RESET))
def test_reset(classroom: Classroom, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    ws = classroom.up()
    before, secrets = ws.map(), ws.store.secrets()
    is_cut(classroom, monkeypatch, at, lambda: reset(ws, 2))
    assert ws.map().instance_of(ws.seat(2)) in classroom.seats.there
    reset(ws, 2)
    assert_sound(classroom, ws, 4)
    assert ws.store.secrets() == secrets
    assert ws.seat(2).generation > before.seat(2).generation
    assert [ws.seat(one) for one in (1, 3, 4)] == [before.seat(one) for one in (1, 3, 4)]
    assert classroom.saved[-1] == 2


@pytest.mark.parametrize("at", range(1, OF_ADD))
def test_add(classroom: Classroom, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    ws = classroom.up()
    secrets = ws.store.secrets()
    cut = is_cut(classroom, monkeypatch, at, lambda: add(ws, [ADA, None]))
    given, new = add(ws, [ADA, None])
    assert given.holder == ADA
    assert given.number == 1
    assert new.number != given.number
    assert new.ready
    count = len(ws.map().seats)
    # One for the spare seat that she got, one that was asked for; after a whole call one more
    assert count == 6 if cut and new.number == 6 else 7
    assert_sound(classroom, ws, count)
    assert secrets.seats.items() <= ws.store.secrets().seats.items()


@pytest.mark.parametrize("at", range(1, OF_DOWN))
def test_down(classroom: Classroom, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    ws = classroom.up()
    is_cut(classroom, monkeypatch, at, lambda: close(ws, None))
    if classroom.store.exists():
        if classroom.store.read() is None:
            close_remains("class", classroom.context, may_lose=True)
        else:
            close(ws, None)
    assert not classroom.seats.there
    assert classroom.seats.left("class") == ()
    assert not classroom.store.exists()


@pytest.mark.parametrize("at", range(1, OF_UP, 3))
def test_up_and_then_down(classroom: Classroom, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    is_cut(classroom, monkeypatch, at, classroom.up)
    if classroom.store.exists():
        if classroom.store.read() is None:
            close_remains("class", classroom.context, may_lose=False)
        else:
            close(classroom.ws(), None)
    assert not classroom.seats.there
    assert classroom.seats.left("class") == ()
    assert not classroom.store.exists()


@pytest.mark.usefixtures("saving")
def test_the_points_reach_to_the_end(classroom: Classroom, monkeypatch: pytest.MonkeyPatch) -> None:
    """No command makes more calls than there are points."""
    assert not is_cut(classroom, monkeypatch, OF_UP, classroom.up)
    ws = classroom.ws()
    assert not is_cut(classroom, monkeypatch, OF_RESET, lambda: reset(ws, 2))
    assert not is_cut(classroom, monkeypatch, OF_ADD, lambda: add(ws, [ADA, None]))
    assert not is_cut(classroom, monkeypatch, OF_DOWN, lambda: close(ws, None))
