"""The checks of a clone: the session of RStudio Server runs while the probe looks."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from sandbox.checks.results import CheckReport
from sandbox.facts.facts import Facts
from sandbox.facts.subjects.accounts import Account, Accounts
from sandbox.guest import checking, rstudio
from sandbox.guest.checking import check_clone
from sandbox.guest.guest import Guest
from sandbox.guest.rstudio import session_beside
from sandbox.providers.engine import MachineStatus, Power
from sandbox.providers.fake import FakeEngine
from sandbox.record import Record
from sandbox.ssh import SshTarget
from sandbox.state import Instance
from tests.unit.checks.samples import FakeMachine, good
from tests.unit.factories import plain_sandbox

OURS = "sandbox-check-1a2b3c"


class Reached(Guest):
    """Whose way in is always open."""

    def status(self) -> MachineStatus:
        return MachineStatus("plain", Power.RUNNING, address="192.0.2.7")

    def login(self) -> SshTarget:
        return SshTarget("plain")


def account(name: str) -> Account:
    return Account(
        name=name,
        uid=1001,
        gid=1001,
        home=f"/home/{name}",
        shell="/bin/bash",
        groups=(),
        password="set",
        sudo=False,
    )


@pytest.fixture
def guest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Guest:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    made = Reached(plain_sandbox(), Instance("plain"), FakeEngine(tmp_path), lambda _: None)
    made.write(Record(placement=made.placement))
    return made


def test_facts_have_every_account_but_that_of_the_session_beside(
    guest: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[Facts] = []

    @contextmanager
    def beside(_: object, machine: Any, wait: Any) -> Iterator[None]:
        machine.rstudio.accounts.append(OURS)
        yield

    def probe(*_: object, **__: object) -> Facts:
        seen = good().facts
        more = (*seen[Accounts], account(OURS), account("eve"))
        return seen.with_parts(Accounts(more))

    def quick(placement: Any, machine: Any, facts: Facts, folder: Path) -> CheckReport:
        judged.append(facts)
        return CheckReport(sandbox="plain", box="plain", plan_key="", elapsed_s=0.1, results=())

    monkeypatch.setattr(checking, "session_beside", beside)
    monkeypatch.setattr(checking, "probe", probe)
    monkeypatch.setattr(checking, "run_quick", quick)
    monkeypatch.setattr(checking, "wait_for_ports", lambda *_, **__: None)
    assert check_clone(guest).ok
    names = {one.name for one in judged[0][Accounts]}
    assert names == {one.name for one in good().facts[Accounts]} | {"eve"}


class Ended(BaseException):
    """Somebody wants the program to end."""


@pytest.mark.parametrize("how", ["well", "interrupted"])
def test_the_account_is_gone_when_the_block_ends(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    began, may_end, gone = Event(), Event(), Event()

    def begin(*_: object) -> Any:
        from threading import Thread

        def work() -> None:
            began.set()
            may_end.wait(10)
            gone.set()

        thread = Thread(target=work, daemon=True)
        thread.start()
        return thread

    monkeypatch.setattr(rstudio, "begin_session", begin)

    def use() -> None:
        with session_beside(plain_sandbox(), FakeMachine(), lambda: None):
            assert began.wait(10)
            may_end.set()
            if how == "interrupted":
                raise Ended

    if how == "interrupted":
        with pytest.raises(Ended):
            use()
    else:
        use()
    assert gone.is_set()
