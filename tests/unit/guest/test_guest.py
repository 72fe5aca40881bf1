"""A guest as it is, with a fake engine behind it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.errors import ConnectionLostError, UsageError
from sandbox.events import Event
from sandbox.guest.guest import Guest
from sandbox.providers.abilities import RootExec
from sandbox.providers.engine import MachineStatus, Power
from sandbox.providers.fake import FakeEngine
from sandbox.provision import ProvisionResult
from sandbox.record import Record
from sandbox.secret_values import NO_VALUES, SecretValues
from sandbox.ssh import SshTarget
from sandbox.state import Instance
from tests.unit.factories import plain_sandbox

TARGET = SshTarget("plain")
RUNNING = MachineStatus("plain", Power.RUNNING, address="192.0.2.7")


class Reached(Guest):
    """Whose way in is always open; what is done with it is written down."""

    done: tuple[str, ...] = ()

    def status(self) -> MachineStatus:
        return RUNNING

    def login(self) -> SshTarget:
        self.done = (*self.done, "login")
        return TARGET

    def reach(self, status: MachineStatus) -> SshTarget:
        self.done = (*self.done, "reach")
        return TARGET

    def end_session(self, target: SshTarget) -> None:
        self.done = (*self.done, "end")


class SshOnly:
    """An engine that has no other way in than ssh."""

    provider = "fake"


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Event]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return []


@pytest.fixture
def reached(heard: list[Event], tmp_path: Path) -> Reached:
    return Reached(plain_sandbox(), Instance("plain"), FakeEngine(tmp_path), heard.append)


def test_what_is_written_down_is_wanted_from_then_on(reached: Reached) -> None:
    wanted = reached.placement.with_plan(reached.plan.model_copy(update={"description": "another"}))
    assert reached.read() is None
    reached.write(Record(placement=wanted))
    assert reached.plan.description == "another"
    assert reached.read() == Record(placement=wanted)


def test_a_machine_that_is_gone_is_told_with_what_mends_it(
    heard: list[Event], tmp_path: Path
) -> None:
    guest = Guest(plain_sandbox(), Instance("plain"), FakeEngine(tmp_path), heard.append)
    with pytest.raises(UsageError, match="plain does not run: its machine is gone") as caught:
        guest.require_login()
    assert caught.value.hint == "sandbox up plain"


@pytest.mark.parametrize(
    ("from_outside", "order"), [(True, ("bootstrap", "reach")), (False, ("reach", "bootstrap"))]
)
def test_the_bootstrap_script_takes_the_first_way_in_that_there_is(
    reached: Reached, monkeypatch: pytest.MonkeyPatch, from_outside: bool, order: tuple[str, ...]
) -> None:
    def bootstrap(*_: object, **__: object) -> None:
        reached.done = (*reached.done, "bootstrap")

    monkeypatch.setattr("sandbox.provision.bootstrap", bootstrap)
    if not from_outside:
        monkeypatch.setattr(reached, "engine", SshOnly())
    assert isinstance(reached.engine, RootExec) is from_outside
    assert reached.bootstrap(NO_VALUES) == (TARGET, RUNNING)
    assert reached.done == order


def lossy(times: int) -> Callable[..., ProvisionResult]:
    left = iter(range(times))

    def play(*_: object, **__: object) -> ProvisionResult:
        if next(left, None) is not None:
            raise ConnectionLostError("the connection to the machine was lost")
        return ProvisionResult(1, 2, (), 1.0)

    return play


def test_a_machine_that_falls_silent_is_reached_once_more(
    reached: Reached, heard: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(
        "sandbox.guest.login.wait_for_ssh", lambda _, timeout_s: waited.append(timeout_s)
    )
    values: SecretValues = NO_VALUES
    monkeypatch.setattr("sandbox.provision.provision", lossy(1))
    assert reached.provision(TARGET, values, mend=False).changed == 1
    assert reached.done == ("end", "login")
    assert waited == [120.0]
    assert "reaching it again" in str(heard[-1])
    monkeypatch.setattr("sandbox.provision.provision", lossy(2))
    with pytest.raises(ConnectionLostError):
        reached.provision(TARGET, values, mend=False)
