"""What `check` says before it begins."""

from pathlib import Path

import pytest

from sandbox.checks.results import last_report
from sandbox.errors import UsageError
from sandbox.guest import checking
from sandbox.guest.guest import Guest
from sandbox.probe.session import NoSshError
from sandbox.probe.untaken import new_key
from sandbox.record import Record
from sandbox.state import Instance
from sandbox.summary import Phase
from sandbox.workflows import check
from tests.fakes.guest import FakeGuest
from tests.unit.factories import shiny_plan, shiny_sandbox
from tests.unit.workflows.conftest import Bench


@pytest.mark.parametrize("phase", [Phase.PLANNED, Phase.CREATED])
def test_a_machine_that_is_not_finished_is_told_of_in_one_line(bench: Bench, phase: Phase) -> None:
    Instance("shiny").write(Record(placement=shiny_sandbox(), phase=phase))
    with pytest.raises(UsageError, match="shiny is not finished") as caught:
        check.check("shiny", context=bench.context)
    assert (caught.value.hint, caught.value.details) == ("sandbox up shiny", "")
    # Nobody was asked anything
    assert bench.engine.calls == []


def test_that_the_box_says_something_else_by_now_is_told(bench: Bench, tmp_path: Path) -> None:
    box = tmp_path / "shiny.yml"
    box.write_text("version: 1\n")
    bench.up(shiny_plan(box_path=box).model_copy(update={"box_files": (box,), "apps": ()}))
    box.write_text("version: 2\n")
    check.check("shiny", context=bench.context)
    assert f"{box} has changed since `up`; sandbox up shiny applies it" in bench.notices()


def test_one_that_is_finished_and_stopped_is_told_so(bench: Bench) -> None:
    bench.up(shiny_plan())
    bench.engine.stop("shiny", timeout_s=1)
    with pytest.raises(UsageError, match="does not run"):
        check.check("shiny", context=bench.context)


def test_a_machine_that_does_not_let_us_in_is_mended_by_the_next_up(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.up(shiny_plan())
    assert bench.up(shiny_plan()).unchanged

    def refused(*_: object, **__: object) -> None:
        raise NoSshError("ssh does not get in", details="Permission denied (publickey)")

    monkeypatch.setattr(checking, "probe", refused)
    monkeypatch.setattr(checking, "key_beside", lambda *_: new_key())
    with monkeypatch.context() as real:
        real.setattr(FakeGuest, "check", Guest.check)
        with pytest.raises(NoSshError) as caught:
            check.check("shiny", context=bench.context)
    assert caught.value.hint == "sandbox up shiny"
    report = last_report(Instance("shiny").folder)
    assert report is not None
    assert [one.id for one in report.problems] == ["up.ssh"]
    assert not bench.up(shiny_plan()).unchanged
    assert bench.up(shiny_plan()).unchanged
