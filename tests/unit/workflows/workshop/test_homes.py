"""Copies of homes: the newest stays, whatever fails; older ones are set aside."""

from pathlib import Path

import pytest

from sandbox.errors import BusyError, ProviderError, UsageError
from sandbox.run import Completed
from sandbox.workflows.workshop import homes
from sandbox.workflows.workshop.running import RunningWorkshop
from sandbox.workshop.home_notes import home_notes
from sandbox.workshop.homes import PARTLY
from tests.fakes.learners import Homes, stamp_in
from tests.unit.workflows.workshop.conftest import Classroom

LAY_HOME = homes.lay_home


@pytest.fixture
def learners(classroom: Classroom, monkeypatch: pytest.MonkeyPatch) -> Homes:
    found = Homes()
    classroom.seats.answer = found.answer
    monkeypatch.setattr(homes, "lay_home", LAY_HOME)
    return found


@pytest.fixture
def ws(classroom: Classroom, learners: Homes) -> RunningWorkshop:
    del learners
    return classroom.up()


def machine(ws: RunningWorkshop, number: int) -> str:
    seats = ws.map()
    return seats.instance_of(seats.seat(number))


def test_a_copy_is_made_once_for_each_change(ws: RunningWorkshop, learners: Homes) -> None:
    stamp = learners.work(machine(ws, 1))
    first = homes.save_home(ws, 1)
    assert stamp_in(first.file) == stamp
    inode = first.file.stat().st_ino
    second = homes.save_home(ws, 1)
    assert second.file.stat().st_ino == inode
    assert second.sha256 == first.sha256
    assert second.at > first.at
    assert ws.seat(1).home_saved_at == second.at
    newer = learners.work(machine(ws, 1))
    assert stamp_in(homes.save_home(ws, 1).file) == newer


@pytest.mark.parametrize("how", ["broken", "too_large"])
def test_a_copy_that_fails_leaves_the_old_one_and_says_why(
    ws: RunningWorkshop, learners: Homes, how: str
) -> None:
    stamp = learners.work(machine(ws, 1))
    saved = homes.save_home(ws, 1)
    learners.work(machine(ws, 1))
    getattr(learners, how).add(machine(ws, 1))
    with pytest.raises(ProviderError):
        homes.save_home(ws, 1, set_aside="before-reset")
    assert stamp_in(saved.file) == stamp
    assert [one.name for one in saved.file.parent.iterdir() if one.name.startswith(".")] == []
    note = home_notes(ws.store).of(1)
    assert note.trouble
    assert note.seen_at == saved.at
    # What there is, is set aside all the same
    (aside,) = homes.set_aside(ws)[1]
    assert stamp_in(aside) == stamp
    getattr(learners, how).clear()
    homes.save_home(ws, 1)
    assert home_notes(ws.store).of(1).trouble == ""


def test_an_archive_that_was_cut_is_no_copy(
    ws: RunningWorkshop, classroom: Classroom, learners: Homes
) -> None:
    learners.work(machine(ws, 1))
    saved = homes.save_home(ws, 1)
    before = saved.file.read_bytes()
    classroom.seats.answer = lambda *_: b"half an archive"
    with pytest.raises(ProviderError, match="cannot be copied"):
        homes.save_home(ws, 1)
    assert saved.file.read_bytes() == before


def test_a_machine_that_is_the_seat_no_more_gives_no_copy(
    ws: RunningWorkshop, classroom: Classroom, learners: Homes
) -> None:
    learners.work(machine(ws, 1))
    saved = homes.save_home(ws, 1)
    learners.work(machine(ws, 1))
    answer = learners.answer

    def moved(name: str, argv: object, stdin: object) -> object:
        ws.store.change_seat(1, lambda one: one.model_copy(update={"generation": 2}))
        return answer(name, argv, stdin)  # type: ignore[arg-type]

    before = saved.file.read_bytes()
    classroom.seats.answer = moved  # type: ignore[assignment]
    with pytest.raises(ProviderError, match="no more"):
        homes.save_home(ws, 1)
    assert saved.file.read_bytes() == before


def test_another_machine_is_copied_whatever_its_clock_says(
    ws: RunningWorkshop, classroom: Classroom, learners: Homes
) -> None:
    learners.work(machine(ws, 1))
    homes.save_home(ws, 1)
    name = machine(ws, 1).replace("-g1", "-g2")
    classroom.seats.there[name] = classroom.seats.there[machine(ws, 1)]
    ws.store.change_seat(1, lambda one: one.model_copy(update={"generation": 2}))
    # Its clock is an hour behind
    learners.stamps[name], learners.changed[name] = 7, 1
    assert stamp_in(homes.save_home(ws, 1).file) == 7


def test_all_are_saved_but_those_that_are_busy_or_lost(
    ws: RunningWorkshop, classroom: Classroom
) -> None:
    with ws.store.hold_now("seat02"):
        found = {one.item: one for one in homes.save_homes(ws)}
    assert set(found) == {1, 2, 3, 4}
    assert isinstance(found[2].error, BusyError)
    assert all(found[one].error is None for one in (1, 3, 4))
    classroom.seats.dead.add("here")
    assert homes.save_homes(ws) == ()
    assert home_notes(ws.store).of(1).trouble == "here does not answer"


def test_a_copy_of_before_a_reset_is_not_the_homes_heir(
    ws: RunningWorkshop, learners: Homes
) -> None:
    learners.work(machine(ws, 1))
    saved = homes.save_home(ws, 1)
    assert homes.home_for(ws, ws.seat(1)) is not None
    ws.store.change_seat(1, lambda one: one.model_copy(update={"generation": 2}))
    assert homes.home_for(ws, ws.seat(1)) is None
    ws.store.change_seat(1, lambda one: one.model_copy(update={"generation": 1}))
    # Laid into the next machine, it stands for that one too
    homes.lay_home(ws, "ws-class-02-g1", saved.file)
    assert homes.home_for(ws, ws.seat(2)) is None
    homes.lay_home(ws, machine(ws, 1), saved.file)
    assert homes.home_for(ws, ws.seat(1)) is not None


def test_only_the_newest_are_kept_aside(ws: RunningWorkshop, learners: Homes) -> None:
    for number in range(homes.KEPT_ASIDE + 2):
        learners.work(machine(ws, 1))
        homes.save_home(ws, 1, set_aside=f"try{number}")
    names = [one.name for one in homes.set_aside(ws, 1)[1]]
    assert names == [f"seat01-g1-try{number}.tar" for number in (6, 5, 4, 3, 2)]


def test_a_copy_is_put_back_and_what_was_there_is_set_aside(
    ws: RunningWorkshop, learners: Homes
) -> None:
    old = learners.work(machine(ws, 1))
    homes.save_home(ws, 1, set_aside="before-reset")
    for number in range(homes.KEPT_ASIDE - 1):
        learners.work(machine(ws, 1))
        homes.save_home(ws, 1, set_aside=f"try{number}")
    now = learners.work(machine(ws, 1))
    homes.put_back(ws, 1, "seat01-g1-before-reset.tar")
    assert learners.stamps[machine(ws, 1)] == old
    assert now in {stamp_in(one) for one in homes.set_aside(ws, 1)[1]}
    newest = learners.work(machine(ws, 1))
    homes.save_home(ws, 1)
    learners.work(machine(ws, 1))
    homes.put_back(ws, 1, "seat01.tar")
    assert learners.stamps[machine(ws, 1)] == newest
    for wrong in ("seat02.tar", "../seat01.tar", "secrets.json"):
        with pytest.raises(UsageError, match="there is no copy"):
            homes.put_back(ws, 1, wrong)


def test_what_cannot_be_laid_is_said_and_kept(
    ws: RunningWorkshop, classroom: Classroom, learners: Homes
) -> None:
    stamp = learners.work(machine(ws, 1))
    saved = homes.save_home(ws, 1)
    classroom.seats.answer = lambda *_: homes_partly()
    homes.lay_home(ws, machine(ws, 1), saved.file)
    (aside,) = homes.set_aside(ws, 1)[1]
    assert (aside.name, stamp_in(aside)) == ("seat01-g1-not-all-laid.tar", stamp)


def homes_partly() -> Completed:
    return Completed((), PARTLY, "", "tar: no room", 0.0)


def test_a_damaged_list_of_copies_loses_no_copy(ws: RunningWorkshop, learners: Homes) -> None:
    learners.work(machine(ws, 1))
    saved = homes.save_home(ws, 1)
    Path(ws.store.folder / "homes.json").write_text("{", encoding="utf-8")
    found = homes.home_for(ws, ws.seat(1))
    assert found is not None
    assert found.file == saved.file
