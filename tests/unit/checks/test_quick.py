"""The quick checks of a clone: the same statements as the full ones, and nothing passes unseen."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from sandbox.checks import quick, safe, snappy, up
from sandbox.checks.inspection import Login
from sandbox.checks.live import RstudioRun
from sandbox.checks.quick import live_machine, run_quick
from sandbox.checks.results import CheckReport, CheckResult, Outcome
from sandbox.errors import CommandError
from sandbox.run import Completed
from sandbox.ssh import SshTarget
from tests.unit.checks.samples import doctored, full_plan, good
from tests.unit.factories import placed


class Target(SshTarget):
    """Answers as it is told."""

    answer: Completed | CommandError = Completed((), 0, "@end", "", 0.0)

    def run(self, command: tuple[str, ...], **_: Any) -> Completed:
        if isinstance(self.answer, CommandError):
            raise self.answer
        return self.answer


class Down:
    """A machine whose web server is not there."""

    rstudio = RstudioRun()

    def __init__(self, *_: object, **__: object) -> None: ...

    def sudo(self, _: str) -> str:
        return "@end"


@pytest.fixture
def healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The inspection is what `good` has."""
    monkeypatch.setattr("sandbox.checks.inspection.parse_inspection", lambda _: good().inspection)
    monkeypatch.setattr(quick, "own_key", lambda _: good().own_key)
    monkeypatch.setattr("sandbox.checks.up.live_checks", lambda _: iter(()))


def report(seen: Any = None, target: SshTarget | None = None) -> CheckReport:
    facts = (seen or good()).facts
    machine = live_machine(target or Target("m"), "http://m:3838")
    return run_quick(placed(full_plan()), machine, facts, Path("/none"))


def result(found: CheckReport, check_id: str) -> CheckResult:
    return next(one for one in found.results if one.id == check_id)


@pytest.mark.usefixtures("healthy")
def test_a_good_machine_passes_all_that_the_full_checks_say_of_it() -> None:
    found = report()
    assert {one.outcome for one in found.results} == {Outcome.PASSED}
    plan = placed(full_plan())
    full = [*up.seen_checks(plan), *safe.seen_checks(plan), *snappy.seen_checks(plan)]
    assert [one.id for one in found.results] == [one.id for one in full]


@pytest.mark.usefixtures("healthy")
def test_what_is_wrong_is_a_failure_with_the_same_words() -> None:
    seen = doctored(good(), "facts.services", ())
    found = report(seen)
    assert result(found, "up.service.ssh").outcome is Outcome.FAILED
    assert result(found, "up.service.ssh").actual == "there is no such service"
    assert not found.ok


@pytest.mark.parametrize(
    "answer",
    [
        CommandError("`ssh` did not end within 60 s", returncode=None),
        Completed((), 255, "", "connection refused", 0.0),
        Completed((), 1, "", "sudo: a password is required", 0.0),
        Completed((), 0, "half an answ", "", 0.0),
    ],
)
def test_what_cannot_be_seen_is_never_a_pass(
    monkeypatch: pytest.MonkeyPatch, answer: Completed | CommandError
) -> None:
    monkeypatch.setattr(Target, "answer", answer)
    monkeypatch.setattr("sandbox.checks.up.live_checks", lambda _: iter(()))
    found = report()
    assert {one.outcome for one in found.results} == {Outcome.ERROR}


@pytest.mark.usefixtures("healthy")
def test_a_check_that_breaks_does_not_hide_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.checks.up._system_state", lambda _: 1 / 0)
    found = report()
    assert result(found, "up.system").outcome is Outcome.ERROR
    assert result(found, "up.service.ssh").outcome is Outcome.PASSED


def test_what_ends_processes_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quick, "LiveMachine", Down)
    monkeypatch.setattr("sandbox.checks.inspection.parse_inspection", lambda _: good().inspection)
    found = report()
    assert result(found, "up.restart.shiny-server").outcome is Outcome.SKIPPED
    # The web server of this one is not even there
    assert result(found, "up.page.faithful").outcome is Outcome.ERROR


@pytest.mark.usefixtures("healthy")
def test_accounts_of_our_own_checks_are_nobody_and_all_others_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = good()
    more = tuple(Login(name, 1001, "/bin/bash", "set") for name in ("sandbox-check-1", "eve"))
    found = dataclasses.replace(seen.inspection, logins=(*seen.inspection.logins, *more))
    monkeypatch.setattr("sandbox.checks.inspection.parse_inspection", lambda _: found)
    machine = live_machine(Target("m"), "http://m:3838")
    machine.rstudio.accounts.append("sandbox-check-1")
    whole = run_quick(placed(full_plan()), machine, seen.facts, Path("/none"))
    said = " ".join(one.actual for one in whole.problems)
    assert "eve" in said
    assert "sandbox-check-1" not in said
