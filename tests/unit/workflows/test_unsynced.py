"""A first installation that does not wait for the disk, and what happens when the host ends."""

import pytest

from sandbox.errors import ProvisionError
from sandbox.state import Instance
from sandbox.summary import Phase
from sandbox.workflows import unsynced
from tests.unit.factories import shiny_plan
from tests.unit.workflows.conftest import Bench

BOOT = "351edbaa-7ba0-4b6d-ae17-c2ae4139c2b2"


@pytest.fixture
def boots(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """This host's boots, the last of which is now; machines share its kernel."""
    bench.shares_kernel = True
    boots = [BOOT]
    monkeypatch.setattr(unsynced, "this_boot", lambda: boots[-1])
    return boots


def noted(name: str = "shiny") -> bool:
    return (Instance(name).folder / "unsynced").exists()


@pytest.mark.usefixtures("boots")
def test_only_the_first_installation_does_not_wait_and_it_ends_with_a_sync(bench: Bench) -> None:
    bench.up(shiny_plan())
    assert (bench.without_waiting, bench.synced, noted()) == ([True], 1, False)
    # People may have worked in it since
    bench.up(shiny_plan(), provision_again=True)
    assert (bench.without_waiting, bench.synced) == ([True, False], 1)


@pytest.mark.usefixtures("boots")
def test_a_machine_with_a_kernel_of_its_own_waits(bench: Bench) -> None:
    bench.shares_kernel = False
    bench.up(shiny_plan())
    assert (bench.without_waiting, bench.synced) == ([False], 0)


def test_a_host_without_such_an_id_lets_dpkg_wait(bench: Bench, boots: list[str]) -> None:
    boots.append("")
    bench.up(shiny_plan())
    assert bench.without_waiting == [False]


def cut_off(bench: Bench) -> None:
    bench.fail_provision = ProvisionError("cut off")
    with pytest.raises(ProvisionError):
        bench.up(shiny_plan())
    bench.fail_provision = None
    assert noted()


@pytest.mark.usefixtures("boots")
def test_a_run_that_was_cut_off_goes_on_in_the_same_machine(bench: Bench) -> None:
    cut_off(bench)
    bench.up(shiny_plan())
    assert bench.engine.calls.count("create:shiny") == 1
    assert (bench.without_waiting, noted()) == ([True, True], False)


def test_when_the_host_ended_meanwhile_the_machine_is_made_anew_with_a_word(
    bench: Bench, boots: list[str]
) -> None:
    cut_off(bench)
    boots.append("the next boot")
    bench.up(shiny_plan())
    assert bench.engine.calls.count("create:shiny") == 2
    assert any("making the machine anew" in text for text in bench.notices())
    assert Instance("shiny").require().phase is Phase.PROVISIONED
    assert not noted()


def test_a_machine_that_was_gone_leaves_no_note(bench: Bench, boots: list[str]) -> None:
    cut_off(bench)
    bench.engine.destroy("shiny")
    bench.fail_provision = ProvisionError("again")
    boots.append("")
    with pytest.raises(ProvisionError):
        bench.up(shiny_plan())
    assert not noted()
