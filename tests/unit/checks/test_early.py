"""The kill that begins while the probe works: when it may begin, and what the check gets of it."""

from pathlib import Path

import pytest

from sandbox.checks.check import CannotLook, Look
from sandbox.checks.early import EarlyRestart
from sandbox.checks.early_outcome import EarlyOutcome
from sandbox.checks.request import ResultFolder
from sandbox.checks.up import RESTART_ID, live_checks
from tests.unit.checks.samples import FakeMachine, page
from tests.unit.factories import placed, shiny_plan

INSPECTED = (
    "@state\nrunning\n@failed\n@files\n@packages\n@accounts\nroot:0:/bin/bash:locked\n"
    "@disk\n/dev/sda1 4096 1024 3072 25% /\n@inodes\n/dev/sda1 1000 10 990 1% /\n@end\n"
)


def test_no_kill_when_the_probe_does_not_get_that_far() -> None:
    machine = FakeMachine(output=[INSPECTED, "7 8"])
    with pytest.raises(RuntimeError), EarlyRestart(placed(shiny_plan()), machine).beside() as early:
        raise RuntimeError("the probe failed")
    assert early.inspection() == ""
    assert not early.outcome.done()
    assert machine.output == ["7 8"], "nothing but the inspection was asked of root"


def test_a_probe_that_fails_after_the_kill_leaves_a_running_server() -> None:
    machine = FakeMachine(output=[INSPECTED, "7 0", ""])
    early = EarlyRestart(placed(shiny_plan()), machine)
    early.at_app()
    with pytest.raises(RuntimeError), early.beside():
        raise RuntimeError("the probe failed")
    # The block ends only after the server that stayed dead was started by hand
    assert "started again by hand" in early.outcome.result(timeout=0).actual
    assert machine.output == []


def test_the_kill_comes_after_the_inspection_and_tells_what_it_saw() -> None:
    machine = FakeMachine([page(elapsed_s=1.5)], output=[INSPECTED, "7 8"])
    with EarlyRestart(placed(shiny_plan()), machine).beside() as early:
        early.at_app()
        assert early.inspection() == INSPECTED
    found = early.outcome.result(timeout=0)
    assert found.ok
    assert "by process 8" in found.actual
    assert list(found.first_pages.values()) == [1.5]


def test_no_kill_where_the_inspection_cannot_be_read() -> None:
    machine = FakeMachine(output=["@state\nrunn", "7 8"])
    with EarlyRestart(placed(shiny_plan()), machine).beside() as early:
        early.at_app()
        assert early.inspection() == ""
    assert not early.outcome.done()
    assert machine.output == ["7 8"]


def test_an_ssh_that_is_lost_at_the_kill_is_an_error_of_the_check() -> None:
    machine = FakeMachine(output=[INSPECTED])
    with EarlyRestart(placed(shiny_plan()), machine).beside() as early:
        early.at_app()
    with pytest.raises(CannotLook):
        early.outcome.result(timeout=0).look(FakeMachine())


def test_the_outcome_reaches_the_other_process(tmp_path: Path) -> None:
    folder = ResultFolder(tmp_path)
    folder.write_early(EarlyOutcome(ok=True, actual="served", first_pages={"/faithful/": 1.5}))
    machine = FakeMachine()
    assert folder.wait_for_early(1).look(machine) == Look(ok=True, actual="served")
    assert machine.first_pages == {"/faithful/": 1.5}


def test_an_outcome_that_never_comes_is_no_pass(tmp_path: Path) -> None:
    with pytest.raises(CannotLook, match="ended before"):
        ResultFolder(tmp_path).wait_for_early(0.05).look(FakeMachine())


def test_the_check_says_what_the_early_kill_saw_and_kills_nothing_more() -> None:
    (check,) = (one for one in live_checks(placed(shiny_plan())) if one.id == RESTART_ID)
    machine = FakeMachine(early=Look(ok=False, actual="no new process for 30 s"))
    assert check.look(machine) == machine.early
    assert machine.asked == []
