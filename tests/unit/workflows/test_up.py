"""The order of steps: what is recorded when, and how `up` goes on from wherever it was cut off."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.checks import fixes
from sandbox.checks.results import last_report
from sandbox.errors import (
    BoxError,
    ConnectionLostError,
    HostError,
    ProviderError,
    ProvisionError,
    UsageError,
)
from sandbox.guest import pages
from sandbox.plan import HostLimits
from sandbox.providers.engine import MachineStatus, Power
from sandbox.providers.findings import Finding
from sandbox.record import Record
from sandbox.run import Completed
from sandbox.state import Instance
from sandbox.summary import Phase
from sandbox.workflows import listing, power, snapshot
from tests.unit.factories import plain_plan, plain_sandbox, shiny_plan, shiny_sandbox
from tests.unit.workflows.conftest import Bench


def record_of(name: str) -> Record:
    return Instance(name).require()


def test_a_first_up_goes_all_the_way(bench: Bench) -> None:
    result = bench.up(shiny_plan())
    assert not result.unchanged
    assert result.status.power is Power.RUNNING
    assert [app.url.endswith(":3838/faithful/") for app in result.pages] == [True]
    record = record_of("shiny")
    assert record.phase is Phase.PROVISIONED
    assert [entry.what for entry in record.history] == ["created", "provisioned"]


def test_a_second_up_touches_nothing(bench: Bench) -> None:
    bench.up(shiny_plan())
    before = Instance("shiny").folder.joinpath("record.json").read_text()
    assert bench.up(shiny_plan()).unchanged
    assert bench.provisioned == 1
    assert Instance("shiny").folder.joinpath("record.json").read_text() == before


def test_an_app_that_does_not_answer_is_not_unchanged(bench: Bench) -> None:
    bench.up(shiny_plan())
    bench.page = "HTTP 503"
    assert not bench.up(shiny_plan()).unchanged


def test_a_paused_machine_goes_on(bench: Bench) -> None:
    bench.up(shiny_plan())
    bench.engine.set_power("shiny", Power.PAUSED)
    result = bench.up(shiny_plan())
    assert not result.unchanged
    assert result.status.power is Power.RUNNING
    assert "the machine was paused: it goes on" in bench.notices()
    assert bench.provisioned == 1
    bench.engine.set_power("shiny", Power.PAUSED)
    power.start("shiny", context=bench.context)
    assert bench.engine.status(["shiny"])["shiny"].power is Power.RUNNING


def test_a_dead_sshd_is_noticed_and_left_to_the_engine(bench: Bench) -> None:
    bench.up(shiny_plan())
    bench.sshd_is_dead = True
    assert not bench.up(shiny_plan()).unchanged
    power.start("shiny", context=bench.context)
    assert bench.engine.calls.count("start:shiny") == 3
    assert bench.provisioned == 1


def test_an_sshd_that_is_gone_is_installed_again(bench: Bench) -> None:
    bench.up(shiny_plan())
    bench.sshd_is_dead = True
    bench.engine.answers = lambda _, words: Completed(words, 1, "", "", 0.0)
    bench.up(shiny_plan())
    assert bench.provisioned == 2


def test_a_box_that_lets_others_in_later_is_obeyed(bench: Bench) -> None:
    bench.up(shiny_plan())
    plan = shiny_plan()
    machine = plan.machine.model_copy(update={"isolated": False})
    open_plan = plan.model_copy(update={"machine": machine})
    bench.engine.failures["isolate"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        bench.up(open_plan)
    bench.engine.failures.clear()
    bench.engine.calls.clear()
    bench.up(open_plan)
    assert bench.engine.is_isolated("shiny") is False
    bench.up(open_plan)
    calls = [call for call in bench.engine.calls if call in WORDS]
    assert calls == ["stop:shiny", "isolate:shiny", "start:shiny"]


WORDS = {"start:shiny", "stop:shiny", "isolate:shiny"}


def test_checks_that_were_not_green_are_mended(bench: Bench) -> None:
    bench.green = False
    bench.up(shiny_plan())
    bench.green = True
    assert not bench.up(shiny_plan()).unchanged
    assert (bench.provisioned, bench.mended) == (2, 1)
    assert bench.notices() == [
        "not so at the last checks: “x”: running the playbooks again",
        "put back: Set the timezone",
    ]
    assert bench.up(shiny_plan()).unchanged


def test_what_up_could_not_mend_is_not_to_be_mended_by_up(bench: Bench) -> None:
    bench.green = False
    first = bench.up(shiny_plan()).report
    assert first is not None
    assert [one.fix for one in first.problems] == ["sandbox up shiny"]
    second = bench.up(shiny_plan()).report
    assert second is not None
    assert [one.fix for one in second.problems] == [fixes.reset_command(shiny_sandbox())]
    assert last_report(Instance("shiny").folder) == second


def test_a_machine_whose_server_is_off_is_mended_before_its_page_is_waited_for(
    bench: Bench,
) -> None:
    bench.up(shiny_plan())
    bench.page, bench.broken = "HTTP 503", "shiny-server should run, and does not"
    bench.up(shiny_plan())
    assert (bench.provisioned, bench.mended) == (2, 1)
    assert "shiny-server should run, and does not: running the playbooks again" in bench.notices()


def test_what_is_gone_back_to_is_never_a_machine_whose_checks_failed(bench: Bench) -> None:
    bench.up(shiny_plan())
    saved = [one.created_at for one in bench.engine.snapshots("shiny")]
    bench.green = False
    bench.up(shiny_plan(), provision_again=True)
    assert [one.created_at for one in bench.engine.snapshots("shiny")] == saved
    bench.green = True
    bench.up(shiny_plan())
    assert [one.created_at for one in bench.engine.snapshots("shiny")] != saved


def test_a_reset_to_an_older_recipe_is_brought_forward_by_the_next_up(bench: Bench) -> None:
    bench.up(shiny_plan())
    saved = [one.created_at for one in bench.engine.snapshots("shiny")]
    system = shiny_plan().system.model_copy(update={"timezone": "America/New_York"})
    changed = shiny_plan().model_copy(update={"system": system})
    bench.green = False
    bench.up(changed)
    # Somebody had broken the machine before the box was changed: that is not to be kept
    assert [one.created_at for one in bench.engine.snapshots("shiny")] == saved
    snapshot.reset("shiny", context=bench.context)
    bench.green = True
    bench.up(changed)
    assert bench.provisioned == 3
    assert [one.created_at for one in bench.engine.snapshots("shiny")] != saved
    assert bench.up(changed).unchanged


def test_a_report_of_a_part_is_no_proof_that_all_is_well(bench: Bench) -> None:
    bench.up(shiny_plan())
    instance = Instance("shiny")
    report = last_report(instance.folder)
    assert report is not None
    part = report.model_copy(update={"whole": False})
    instance.write_text("checks.json", part.model_dump_json())
    assert not bench.up(shiny_plan()).unchanged


def test_provision_again_runs_the_playbooks_over_an_unchanged_machine(bench: Bench) -> None:
    bench.up(shiny_plan())
    bench.up(shiny_plan(), provision_again=True)
    assert bench.provisioned == 2


def test_a_changed_plan_is_provisioned_again(bench: Bench) -> None:
    bench.up(shiny_plan())
    plan = shiny_plan()
    system = plan.system.model_copy(update={"timezone": "America/New_York"})
    bench.up(plan.model_copy(update={"system": system}))
    assert bench.provisioned == 2
    assert record_of("shiny").plan.system.timezone == "America/New_York"


def test_a_failed_provisioning_is_taken_up_again(bench: Bench) -> None:
    bench.fail_provision = ProvisionError("a task failed")
    with pytest.raises(ProvisionError):
        bench.up(shiny_plan())
    assert record_of("shiny").phase is Phase.CREATED
    bench.fail_provision = None
    bench.up(shiny_plan())
    assert record_of("shiny").phase is Phase.PROVISIONED
    assert bench.engine.calls.count("create:shiny") == 1


def test_a_connection_lost_while_provisioning_is_made_again_once(bench: Bench) -> None:
    bench.lose_connection = 1
    bench.up(shiny_plan())
    assert bench.provisioned == 2
    assert record_of("shiny").phase is Phase.PROVISIONED
    assert any("the connection to the machine was lost in `x`" in one for one in bench.notices())


def test_a_connection_that_is_lost_again_is_an_error(bench: Bench) -> None:
    bench.lose_connection = 2
    with pytest.raises(ConnectionLostError):
        bench.up(shiny_plan())
    assert bench.provisioned == 2


def test_a_provisioning_that_fails_on_a_whole_machine_is_not_forgotten(bench: Bench) -> None:
    bench.up(shiny_plan())
    bench.fail_provision = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        bench.up(shiny_plan(), provision_again=True)
    bench.fail_provision = None
    assert not bench.up(shiny_plan()).unchanged
    assert bench.provisioned == 3


@pytest.mark.parametrize("call", ["create", "create!", "start", "power_on!", "start!"])
def test_cut_off_in_the_engine_the_next_up_ends_well(bench: Bench, call: str) -> None:
    bench.engine.failures[call] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        bench.up(plain_plan())
    bench.engine.failures.clear()
    assert bench.up(plain_plan()).status.power is Power.RUNNING


@pytest.mark.parametrize("call", ["create", "create!", "start", "power_on!"])
def test_cut_off_in_the_engine_destroy_leaves_nothing(bench: Bench, call: str) -> None:
    bench.engine.failures[call] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        bench.up(plain_plan())
    bench.engine.failures.clear()
    power.destroy("plain", context=bench.context)
    assert bench.engine.status() == {}
    assert not Instance("plain").exists()


def test_a_machine_deleted_behind_our_back_is_made_again_with_a_word(bench: Bench) -> None:
    bench.up(shiny_plan())
    bench.engine.destroy("shiny")
    (info,) = listing.all_sandboxes(bench.context)
    assert info.state == "gone"
    assert bench.up(shiny_plan()).status.power is Power.RUNNING
    assert any("gone" in text for text in bench.notices())
    assert record_of("shiny").phase is Phase.PROVISIONED


def test_a_machine_without_a_record_is_not_taken_over(bench: Bench) -> None:
    bench.up(shiny_plan())
    Instance("shiny").remove()
    with pytest.raises(ProviderError, match="no record of") as caught:
        bench.up(shiny_plan())
    assert "sandbox destroy shiny" in caught.value.hint
    (info,) = listing.all_sandboxes(bench.context)
    assert (info.name, info.state) == ("shiny", "no record")
    power.destroy("shiny", context=bench.context)
    assert bench.engine.status() == {}


def test_another_boxes_sandbox_is_not_turned_into_this_one(bench: Bench) -> None:
    bench.up(shiny_plan())
    with pytest.raises(UsageError, match="made from the box shiny, not plain") as caught:
        bench.up(plain_sandbox("shiny"))
    assert "--name" in caught.value.hint


def test_an_unusable_host_is_said_before_anything_is_written(bench: Bench) -> None:
    broken = Finding(ok=False, title="it runs", detail="it does not", fix="sandbox host setup")
    bench.engine = replace(bench.engine, findings=(broken,))
    with pytest.raises(HostError) as caught:
        bench.up(shiny_plan())
    assert "it runs: it does not" in caught.value.details
    assert caught.value.hint == "sandbox host setup"
    assert not Instance("shiny").exists()


def test_too_much_memory_is_said_before_anything_is_written(bench: Bench) -> None:
    plan = shiny_plan()
    machine = plan.machine.model_copy(update={"memory_mb": 99999})
    with pytest.raises(HostError, match="more than this host has"):
        bench.up(plan.model_copy(update={"machine": machine}))
    assert not Instance("shiny").exists()


def test_room_is_what_the_plans_own_provider_tells(bench: Bench) -> None:
    plan = plain_sandbox().model_copy(update={"provider": "virtualbox"})
    bench.room = HostLimits(8, 16384, 1)
    with pytest.raises(HostError, match="no disk space is left"):
        bench.up(plan)
    bench.room = HostLimits(8, 16384, 50)
    bench.up(plan)
    assert bench.engine.status([plan.name])[plan.name].power is Power.RUNNING


def test_missing_packages_leave_nothing(bench: Bench) -> None:
    bench.base = replace(bench.base, packages=frozenset({"tree"}))
    with pytest.raises(BoxError) as caught:
        bench.up(shiny_plan())
    assert "r-cran-shiny" in caught.value.details
    assert not Instance("shiny").exists()
    assert bench.engine.status() == {}


def test_stop_start_and_status(bench: Bench) -> None:
    bench.up(shiny_plan())
    power.stop("shiny", context=bench.context)
    with pytest.raises(UsageError, match="does not run: it is stopped"):
        bench.context.guest_named("shiny").require_running()
    power.start("shiny", context=bench.context)
    details = listing.details_of("shiny", bench.context)
    assert details.state == "running"
    assert [entry.what for entry in details.history][-2:] == ["stopped", "started"]


def test_start_of_an_unfinished_sandbox_says_how_to_go_on(bench: Bench) -> None:
    bench.fail_provision = ProvisionError("a task failed")
    with pytest.raises(ProvisionError):
        bench.up(shiny_plan())
    with pytest.raises(UsageError) as caught:
        power.start("shiny", context=bench.context)
    assert "sandbox up shiny" in caught.value.hint


def test_another_users_machine_of_the_same_name_is_not_destroyed(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One Incus, two state folders: another user's, or another run of the tests."""
    bench.up(shiny_plan())
    theirs = Instance("shiny").folder
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "mine"))
    with pytest.raises(UsageError, match="belongs to") as caught:
        power.destroy("shiny", context=bench.context)
    assert str(theirs) in caught.value.details
    (info,) = listing.all_sandboxes(bench.context)
    assert info.state == listing.ELSEWHERE
    assert bench.engine.status(["shiny"])["shiny"].power is Power.RUNNING
    with pytest.raises(ProviderError, match="no record of") as refused:
        bench.up(shiny_plan())
    assert str(theirs) in refused.value.details
    assert "--name" in refused.value.hint
    assert "destroy" not in refused.value.hint
    # Its record is gone: then it is nobody's
    shutil.rmtree(theirs)
    power.destroy("shiny", context=bench.context)
    assert bench.engine.status() == {}


def test_destroy_of_nothing_is_an_error(bench: Bench) -> None:
    with pytest.raises(UsageError, match="no sandbox named"):
        power.destroy("shiny", context=bench.context)


def test_list_works_when_the_provider_does_not(bench: Bench) -> None:
    bench.up(shiny_plan())
    bench.engine.failures["status"] = HostError("incus is not running")
    (info,) = listing.all_sandboxes(bench.context)
    assert info.state == "unknown"
    assert any("incus is not running" in text for text in bench.notices())


def test_pages_are_asked_for_under_the_apps_own_names() -> None:
    status = MachineStatus("shiny", Power.RUNNING, address="192.0.2.7")
    found = pages.direct_pages(shiny_plan().endpoints, status)
    assert [page.url for page in found] == ["http://192.0.2.7:3838/faithful/"]
    assert pages.direct_pages(plain_plan().endpoints, status) == ()
