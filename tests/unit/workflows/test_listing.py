"""What a listing says of the last checks."""

import json

import pytest

from sandbox.checks.results import last_report
from sandbox.errors import HostError, SandboxError
from sandbox.providers.engine import MachineStatus
from sandbox.providers.incus.client import NotPermittedError, NotSetUpError
from sandbox.state import Instance
from sandbox.workflows import listing
from tests.unit.factories import shiny_plan
from tests.unit.workflows.conftest import Bench


def checks_of(bench: Bench) -> str:
    (info,) = listing.all_sandboxes(bench.context)
    return info.checks


def test_the_last_checks_are_told_in_a_few_words(bench: Bench) -> None:
    bench.up(shiny_plan())
    assert checks_of(bench) == "0 passed in 1.0 s"
    report = last_report(Instance("shiny").folder)
    assert report is not None
    assert report.summary == checks_of(bench)
    (Instance("shiny").folder / "checks.json").unlink()
    assert checks_of(bench) == ""


def test_checks_saved_before_reports_had_a_summary_are_told_too(bench: Bench) -> None:
    bench.up(shiny_plan())
    path = Instance("shiny").folder / "checks.json"
    saved = json.loads(path.read_text())
    del saved["summary"]
    path.write_text(json.dumps(saved))
    assert checks_of(bench) == "0 passed in 1.0 s"


@pytest.mark.parametrize("text", ["", "{}", "[]"])
def test_what_is_no_report_is_no_reason_to_stop(bench: Bench, text: str) -> None:
    bench.up(shiny_plan())
    (Instance("shiny").folder / "checks.json").write_text(text)
    assert checks_of(bench) == ""


@pytest.mark.parametrize("record", [None, "null", "", "{}"])
def test_what_is_left_of_a_sandbox_is_listed_with_what_removes_it(
    bench: Bench, record: str | None
) -> None:
    folder = Instance("shiny").folder
    folder.mkdir(parents=True)
    if record is not None:
        (folder / "record.json").write_text(record)
    (info,) = listing.all_sandboxes(bench.context)
    assert (info.name, info.state) == ("shiny", listing.BROKEN)
    assert "sandbox destroy shiny" in bench.notices()[0]


def refuse(bench: Bench, monkeypatch: pytest.MonkeyPatch, error: SandboxError) -> None:
    def status() -> dict[str, MachineStatus]:
        raise error

    monkeypatch.setattr(bench.engine, "status", status)


REFUSED = NotPermittedError("you may not talk to the Incus daemon", hint="sudo adduser ...")


@pytest.mark.parametrize("error", [REFUSED, HostError("the Incus server cannot be reached")])
def test_that_nothing_is_there_is_not_said_by_one_who_may_not_ask(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, error: SandboxError
) -> None:
    refuse(bench, monkeypatch, error)
    with pytest.raises(HostError) as caught:
        listing.all_sandboxes(bench.context)
    assert caught.value is error


def test_what_is_on_disk_is_listed_to_one_who_may_not_ask(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.up(shiny_plan())
    refuse(bench, monkeypatch, REFUSED)
    (info,) = listing.all_sandboxes(bench.context)
    assert info.state == "unknown"
    assert any("sudo adduser" in notice for notice in bench.notices())


def test_where_sandbox_was_never_set_up_there_is_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(bench, monkeypatch, NotSetUpError("our place in Incus is not set up"))
    assert listing.all_sandboxes(bench.context) == []
    assert bench.notices() == []
