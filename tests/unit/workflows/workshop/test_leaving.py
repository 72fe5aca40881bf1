"""Learners work until the very moment in which their machine goes: none of it is lost."""

import contextlib
import gzip
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from sandbox.errors import ProviderError
from sandbox.providers.seats import MemberLostError
from sandbox.workflows.workshop import homes, push
from sandbox.workflows.workshop.down import close
from sandbox.workflows.workshop.members import MemberWatch, evacuate, tend_members
from sandbox.workflows.workshop.reset import reset
from sandbox.workflows.workshop.running import RunningWorkshop
from sandbox.workshop.stillness import MOVING_S, STAND_STILL
from tests.fakes.learners import Homes, stamp_in
from tests.unit.workflows.workshop.conftest import Classroom, Cut, CutOffError

LAY_HOME, HAND_OUT = homes.lay_home, push.hand_out
NUMBER = 2
OF_RESET = 20


class Busy(Homes):
    """A learner who works before and after every command that runs in any machine."""

    machine = ""
    """The one in which."""

    def answer(self, name: str, argv: Sequence[str], stdin: str | bytes | Path | None) -> Any:
        if self.machine:
            self.work(self.machine)
        said = super().answer(name, argv, stdin)
        if self.machine:
            self.work(self.machine)
        return said

    @property
    def newest(self) -> int:
        return self.stamps[self.machine]


@pytest.fixture
def learner(classroom: Classroom, monkeypatch: pytest.MonkeyPatch) -> Busy:
    found = Busy()
    classroom.seats.answer = found.answer
    classroom.seats.member_names = ("n1", "n2")
    monkeypatch.setattr(homes, "lay_home", LAY_HOME)
    monkeypatch.setattr(push, "hand_out", HAND_OUT)
    return found


@pytest.fixture
def ws(classroom: Classroom, learner: Busy) -> RunningWorkshop:
    opened = classroom.up()
    learner.machine = machine(opened)
    learner.work(learner.machine)
    return opened


def machine(ws: RunningWorkshop) -> str:
    return ws.map().instance_of(ws.seat(NUMBER))


def archives(ws: RunningWorkshop) -> set[int]:
    kept = homes.set_aside(ws, NUMBER).get(NUMBER, ())
    return {stamp_in(one) for one in (*kept, ws.store.home_of(NUMBER)) if one.is_file()}


def test_a_reset_keeps_what_was_written_while_it_went_on(
    ws: RunningWorkshop, learner: Busy
) -> None:
    reset(ws, NUMBER)
    (aside,) = homes.set_aside(ws, NUMBER)[NUMBER]
    assert stamp_in(aside) == learner.newest
    assert learner.stamps.get(machine(ws), 0) == 0


def test_a_reset_with_the_home_gives_back_what_was_written_last(
    ws: RunningWorkshop, learner: Busy
) -> None:
    reset(ws, NUMBER, keep_home=True)
    assert learner.stamps[machine(ws)] == learner.newest
    assert homes.home_for(ws, ws.seat(NUMBER)) is not None


def test_a_server_is_emptied_of_what_was_written_last_too(
    ws: RunningWorkshop, learner: Busy
) -> None:
    (said,) = [one for one in evacuate(ws, ws.seat(NUMBER).member) if "seat02" in one]
    assert learner.stamps[machine(ws)] == learner.newest
    assert f"{ws.seat(NUMBER).home_saved_at:%H:%M:%S} UTC" in said


@pytest.mark.parametrize("keep_home", [False, True])
def test_nothing_is_laid_twice_for_one_who_does_nothing(
    ws: RunningWorkshop, learner: Busy, classroom: Classroom, *, keep_home: bool
) -> None:
    learner.machine = ""
    homes.save_home(ws, NUMBER)
    before = ws.store.home_of(NUMBER).stat().st_ino
    classroom.seats.runs.clear()
    reset(ws, NUMBER, keep_home=keep_home)
    new = machine(ws)
    scripts = ["".join(argv[2:3]) for name, argv in classroom.seats.runs if name == new]
    assert sum("tar --extract" in one for one in scripts) == int(keep_home)
    assert ws.store.home_of(NUMBER).stat().st_ino == before


@pytest.mark.parametrize("do", [reset, lambda ws, number: reset(ws, number, keep_home=True)])
def test_a_machine_that_is_not_left_after_all_goes_on(
    ws: RunningWorkshop, learner: Busy, classroom: Classroom, do: Callable[..., object]
) -> None:
    old, answer = machine(ws), classroom.seats.answer

    def fail(name: str, argv: Sequence[str], stdin: Any) -> Any:
        if STAND_STILL in "".join(argv[2:3]):
            answer(name, argv, stdin)
            learner.broken.add(name)
        return answer(name, argv, stdin)

    classroom.seats.answer = fail
    with pytest.raises(ProviderError, match="seat02 is not reset"):
        do(ws, NUMBER)
    assert machine(ws) == old
    assert [one for one in classroom.seats.there if "-02-" in one] == [old]
    assert learner.still == set()


def test_what_takes_too_long_while_all_stands_still_is_done_again(
    ws: RunningWorkshop, learner: Busy, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, now, copies = machine(ws), [0.0], []
    save = homes.save_home

    def slow(*args: Any, still_s: int = 0, **words: Any) -> homes.SavedHome:
        saved = save(*args, still_s=still_s, **words)
        if still_s:
            copies.append(still_s)
            # All went on by itself before the first of these was there
            now[0] += 2 * MOVING_S if len(copies) == 1 else 1
            if len(copies) == 1:
                learner.still.clear()
                learner.work(old)
        return saved

    monkeypatch.setattr(homes, "save_home", slow)
    monkeypatch.setattr("sandbox.workflows.workshop.leaving.time.monotonic", lambda: now[0])
    reset(ws, NUMBER, keep_home=True)
    assert len(copies) == 2
    assert learner.stamps[machine(ws)] == learner.newest


def test_a_server_that_dies_at_the_last_copy_does_not_keep_its_seat(
    ws: RunningWorkshop, classroom: Classroom, learner: Busy
) -> None:
    old, answer = machine(ws), classroom.seats.answer

    def die(name: str, argv: Sequence[str], stdin: Any) -> Any:
        if STAND_STILL in "".join(argv[2:3]):
            raise MemberLostError("it does not answer")
        return answer(name, argv, stdin)

    classroom.seats.answer = die
    reset(ws, NUMBER, keep_home=True)
    assert machine(ws) != old
    assert learner.stamps[machine(ws)] > 0


def test_a_copy_is_put_back_over_nothing_that_is_in_no_copy(
    ws: RunningWorkshop, learner: Busy
) -> None:
    homes.save_home(ws, NUMBER, set_aside="try")
    wanted = stamp_in(ws.store.home_of(NUMBER))
    written, work = [], learner.work

    def noted(machine: str) -> int:
        written.append(work(machine))
        return written[-1]

    learner.work = noted  # type: ignore[method-assign]
    homes.put_back(ws, NUMBER, "seat02-g1-try.tar")
    assert learner.still == set()
    laid_at = written.index(wanted, 1) if wanted in written[1:] else len(written)
    assert written[laid_at - 1] in archives(ws)


def test_an_old_machine_stands_still_when_its_home_is_kept(
    ws: RunningWorkshop, classroom: Classroom, learner: Busy
) -> None:
    old = learner.machine
    newer = {"generation": 7}
    ws.store.change_seat(NUMBER, lambda one: one.model_copy(update=newer))
    with contextlib.suppress(ProviderError):
        tend_members(ws, MemberWatch(is_answering=lambda _: True))
    assert old not in classroom.seats.there
    assert learner.newest in archives(ws)


def test_nothing_is_written_after_it_was_collected_for_the_last_time(
    ws: RunningWorkshop, learner: Busy, tmp_path: Path
) -> None:
    close(ws, tmp_path / "work")
    (packed,) = (tmp_path / "work").glob("seat02*.tar.gz")
    plain = tmp_path / "seat02.tar"
    plain.write_bytes(gzip.decompress(packed.read_bytes()))
    assert stamp_in(plain) == learner.newest


@pytest.mark.parametrize("keep_home", [False, True])
@pytest.mark.parametrize("at", range(1, OF_RESET))
def test_it_can_be_cut_off_at_any_call(
    ws: RunningWorkshop,
    classroom: Classroom,
    learner: Busy,
    monkeypatch: pytest.MonkeyPatch,
    at: int,
    *,
    keep_home: bool,
) -> None:
    was = ws.seat(NUMBER).generation
    with monkeypatch.context() as patch, contextlib.suppress(CutOffError):
        Cut(classroom.seats, patch, at)
        reset(ws, NUMBER, keep_home=keep_home)
    if ws.seat(NUMBER).generation == was:
        # Its learner goes on there, at the latest after a minute
        learner.still.clear()
        learner.work(learner.machine)
        reset(ws, NUMBER, keep_home=keep_home)
    else:
        tend_members(ws, MemberWatch(is_answering=lambda _: True))
    assert [one for one in classroom.seats.there if "-02-" in one] == [machine(ws)]
    assert learner.newest in archives(ws)
    if keep_home:
        assert learner.stamps[machine(ws)] == learner.newest
