"""A changed app is released without a playbook, or not at all: then the long road is taken."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from sandbox.baking import CacheUse
from sandbox.checks.results import CheckReport, CheckResult, Goal, Outcome, last_report
from sandbox.errors import CommandError, ProvisionError
from sandbox.guest.guest import Guest
from sandbox.guest.pages import Page
from sandbox.plan import Plan
from sandbox.run import Completed
from sandbox.state import Instance
from sandbox.summary import Phase
from sandbox.workflows import deploy, up
from tests.unit.factories import shiny_plan
from tests.unit.workflows.conftest import Bench


class Machine:
    """What is asked of the machine over ssh, and what it is to answer."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.page: ProvisionError | None = None
        self.session_fails = False
        self.fails: BaseException | None = None

    def run(self, command: tuple[str, ...], **__: object) -> Completed:
        what = "end" if "old()" in command[4] else "release"
        self.calls.append(f"{what} {' '.join(word for word in command[6:] if len(word) < 60)}")
        if self.fails is not None and what == "release":
            raise self.fails
        return Completed(command, 0, "", "", 0.1)

    def wait(self, pages: Sequence[Page]) -> None:
        self.calls.append(f"page {pages[0].name}")
        if self.page is not None:
            raise self.page

    def look(self, guest: Guest, ids: Sequence[str]) -> CheckReport:
        results = tuple(
            CheckResult(id=one, goal=Goal.UP, title=one, outcome=self._outcome(one)) for one in ids
        )
        return CheckReport(
            sandbox=guest.name,
            box=guest.plan.box_name,
            plan_key="",
            elapsed_s=0.1,
            results=results,
        )

    def _outcome(self, check: str) -> Outcome:
        bad = self.session_fails and check.startswith("up.session")
        return Outcome.FAILED if bad else Outcome.PASSED


@pytest.fixture
def machine(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    replaced: dict[str, Callable[..., object]] = {
        "sandbox.workflows.deploy.pack": lambda _, archive: _touch(archive),
        "sandbox.ssh.SshTarget.run": made.run,
    }
    for name, value in replaced.items():
        monkeypatch.setattr(name, value)
    bench.up(shiny_plan())
    monkeypatch.setattr(bench, "wait", made.wait)
    monkeypatch.setattr(bench, "look", made.look)
    return made


def _touch(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"tar")


def edited(digit: str = "a", **update: Any) -> Plan:
    plan = shiny_plan()
    app = plan.apps[0].model_copy(update={"sha256": digit * 64})
    return plan.model_copy(update={"apps": (app,), **update})


def test_only_the_app_is_released_and_looked_at(bench: Bench, machine: Machine) -> None:
    result = bench.up(edited())
    assert result.released == ("faithful",)
    assert bench.provisioned == 1
    assert machine.calls == [
        "release /srv/shiny-server /srv/releases faithful aaaaaaaaaaaa",
        "page faithful",
        "end /srv/releases faithful aaaaaaaaaaaa",
    ]
    assert result.fresh is not None
    assert [one.id for one in result.fresh.results] == ["up.page.faithful", "up.session.faithful"]
    record = Instance("shiny").require()
    assert record.plan == edited()
    assert record.phase is Phase.PROVISIONED
    assert [entry.what for entry in record.history][-2:] == ["released", "checked"]
    assert bench.up(edited()).unchanged


def test_reset_goes_back_to_the_app_of_now(bench: Bench, machine: Machine) -> None:
    before = [one.created_at for one in bench.engine.snapshots("shiny")]
    bench.up(edited())
    after = [one.created_at for one in bench.engine.snapshots("shiny")]
    assert len(after) == len(before) == 1
    assert after > before


def test_a_box_that_lies_elsewhere_by_now_is_the_same(bench: Bench, machine: Machine) -> None:
    assert bench.up(edited(box_path=Path("/tmp/shiny.yml"))).released


@pytest.mark.parametrize(
    "update",
    [
        {"system": shiny_plan().system.model_copy(update={"timezone": "America/New_York"})},
        {"apt_packages": ("r-base-core", "r-cran-dt", "r-cran-shiny", "shiny-server")},
        {"check_files": (Path("/boxes/own.py"),)},
        {"production": Path("/boxes/facts.json")},
        {"machine": shiny_plan().machine.model_copy(update={"memory_mb": 1024})},
    ],
)
def test_whatever_else_differs_takes_the_long_road(
    bench: Bench, machine: Machine, monkeypatch: pytest.MonkeyPatch, update: dict[str, Any]
) -> None:
    monkeypatch.setattr("sandbox.workflows.make_machine.tell_rebuild", lambda *_: None)
    monkeypatch.setattr("sandbox.workflows.context.Context.agreed_checks", lambda *_: ())
    assert not bench.up(edited(**update)).released
    assert bench.provisioned == 2
    assert machine.calls == []


def test_another_set_of_apps_takes_the_long_road(bench: Bench, machine: Machine) -> None:
    plan = edited()
    more = plan.apps[0].model_copy(update={"name": "second"})
    bench.up(plan.model_copy(update={"apps": (*plan.apps, more)}))
    bench.up(shiny_plan().model_copy(update={"apps": ()}))
    assert bench.provisioned == 3
    assert machine.calls == []


@pytest.mark.parametrize("option", [{"provision_again": True}, {"cache": CacheUse.FRESH}])
def test_who_asks_for_the_playbooks_gets_them(
    bench: Bench, machine: Machine, option: dict[str, Any]
) -> None:
    if "cache" in option:
        with pytest.raises(Exception, match="is there already"):
            bench.up(edited(), **option)
    else:
        assert not bench.up(edited(), **option).released
    assert machine.calls == []


def test_what_was_not_well_before_takes_the_long_road(bench: Bench, machine: Machine) -> None:
    bench.green = False
    bad = CheckResult(id="up.x", goal=Goal.UP, title="x", outcome=Outcome.FAILED)
    report = last_report(Instance("shiny").folder)
    assert report is not None
    broken = report.model_copy(update={"results": (bad,)})
    Instance("shiny").write_text("checks.json", broken.to_json())
    assert not bench.up(edited()).released
    assert bench.provisioned == 2


def test_playbooks_that_have_changed_are_run(
    bench: Bench, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(up, "recipe_key", lambda _: "another")
    assert not bench.up(edited()).released
    assert bench.provisioned == 2


def test_cut_off_in_the_middle_the_next_up_takes_the_long_road(
    bench: Bench, machine: Machine
) -> None:
    machine.fails = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        bench.up(edited())
    assert Instance("shiny").require().recipe_key == ""
    machine.fails = None
    result = bench.up(edited())
    assert not result.released
    assert bench.provisioned == 2


def test_a_release_that_fails_says_why(bench: Bench, machine: Machine) -> None:
    machine.fails = CommandError("x", returncode=1, stderr="/srv/shiny-server/faithful is not ours")
    with pytest.raises(ProvisionError, match="could not be released") as caught:
        bench.up(edited())
    assert caught.value.details == "/srv/shiny-server/faithful is not ours"
    assert "sandbox up shiny" in caught.value.hint


def test_an_app_that_does_not_start_is_mended_by_the_next_edit(
    bench: Bench, machine: Machine
) -> None:
    machine.page = ProvisionError("the app faithful does not start: no DT", hint="add DT")
    with pytest.raises(ProvisionError, match="no DT"):
        bench.up(edited())
    # What was found before is not true of it any more, and it is not forgotten either
    report = last_report(Instance("shiny").folder)
    assert report is not None
    assert [(one.id, one.fix) for one in report.problems] == [("up.page.faithful", "add DT")]
    machine.page = None
    result = bench.up(edited("b"))
    assert result.released == ("faithful",)
    assert result.report is not None
    assert result.report.ok
    assert bench.provisioned == 1


def test_the_same_app_that_fails_again_is_not_passed_over(bench: Bench, machine: Machine) -> None:
    machine.page = ProvisionError("the app faithful does not start")
    with pytest.raises(ProvisionError):
        bench.up(edited())
    assert not bench.up(edited()).unchanged


def test_a_session_that_fails_is_a_failed_check(bench: Bench, machine: Machine) -> None:
    machine.session_fails = True
    result = bench.up(edited())
    assert result.report is not None
    assert [one.id for one in result.report.problems] == ["up.session.faithful"]
    machine.session_fails = False
    assert bench.up(edited("b")).report is not None
    assert bench.provisioned == 1


def test_another_app_that_does_not_answer_takes_the_long_road(
    bench: Bench, machine: Machine
) -> None:
    plan = edited()
    second = plan.apps[0].model_copy(update={"name": "second", "sha256": "c" * 64})
    bench.up(plan.model_copy(update={"apps": (plan.apps[0], second)}))
    bench.page = "HTTP 500"
    bench.up(edited("b").model_copy(update={"apps": (edited("b").apps[0], second)}))
    assert bench.provisioned == 3
    assert machine.calls == []


def test_without_checks_only_the_page_is_waited_for(bench: Bench, machine: Machine) -> None:
    result = bench.up(edited(), checks=False)
    assert result.fresh is None
    assert "page faithful" in machine.calls


def test_the_folders_are_those_of_the_role() -> None:
    folders = deploy._Folders.of_role()
    assert str(folders.site) == "/srv/shiny-server"
    assert str(folders.releases) == "/srv/releases"
