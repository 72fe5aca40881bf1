"""A fake engine, and everything that would leave this process replaced."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from sandbox.checks.results import CheckReport, CheckResult, Goal, Outcome
from sandbox.engines.fake import FakeEngine
from sandbox.engines.incus_client import IncusPlace
from sandbox.errors import ConnectionLostError
from sandbox.events import Event, Notice
from sandbox.placement import Placement
from sandbox.plan import HostLimits, Plan
from sandbox.provision import ProvisionResult
from sandbox.record import Record
from sandbox.secret_values import SecretValues
from sandbox.ssh import SshTarget
from sandbox.state import Instance
from sandbox.workflows import context, up
from sandbox.workflows.base import PreparedBase
from tests.unit.factories import placed


class Bench:
    """A fake engine, with everything that would leave this process replaced."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.engine = FakeEngine(folder / "machines")
        self.engine.folder.mkdir()
        self.events: list[Event] = []
        self.provisioned = 0
        self.mended = 0
        self.broken = ""
        self.given: dict[str, str] = {}
        self.verified: list[str] = []
        self.fail_provision: BaseException | None = None
        self.lose_connection = 0
        self.green = True
        self.page = ""
        self.sshd_is_dead = False
        self.has_whole_key = True
        self.base = PreparedBase("base-debian-12-0", "f00d", packages=None)
        self.context = context.Context(
            place=IncusPlace.from_prefix("test"),
            listener=self.events.append,
            make_engine=lambda *_: self.engine,
        )
        replaced: dict[str, Callable[..., object]] = {
            "sandbox.workflows.making.prepare_base": lambda *_: self.base,
            "sandbox.workflows.making.archives_ahead": lambda: nullcontext(lambda: ()),
            "sandbox.workflows.making.host_limits": lambda _: HostLimits(8, 16384, 100),
            "sandbox.workflows.making.make_key": lambda _: "ssh-ed25519 AAAA",
            "sandbox.workflows.making.bootstrap": lambda *_, **__: None,
            "sandbox.workflows.making.provision": self._provision,
            "sandbox.workflows.making.disconnect": lambda _: None,
            "sandbox.workflows.making.connect": self._connect,
            "sandbox.workflows.making.wait_for_ssh": lambda *_, **__: None,
            "sandbox.workflows.making.found_broken": lambda *_: self.broken,
            "sandbox.workflows.making.wait_for_pages": lambda *_, **__: None,
            "sandbox.workflows.making.knocking": lambda *_, **__: nullcontext(),
            "sandbox.workflows.up.page_status": lambda *_, **__: self.page,
            "sandbox.workflows.up.has_whole_key": lambda _: self.has_whole_key,
            "sandbox.workflows.up.sshd_is_dead": lambda _: self.sshd_is_dead,
            "sandbox.workflows.making.sshd_is_dead": lambda _: self.sshd_is_dead,
            "sandbox.workflows.power.sshd_is_dead": lambda _: self.sshd_is_dead,
            "sandbox.workflows.making.verify": self._verify_all,
            "sandbox.workflows.making.verify_clone": self._verify_clone,
            "sandbox.workflows.power.connect": self._connect,
            "sandbox.workflows.power.wait_for_pages": lambda *_, **__: None,
            "sandbox.workflows.power.disconnect": lambda _: None,
        }
        for name, value in replaced.items():
            monkeypatch.setattr(name, value)

    def _connect(self, instance: Instance, engine: FakeEngine) -> SshTarget:
        engine.ssh_endpoint(instance.name)
        return SshTarget(instance.name)

    def _provision(self, *_: object, secrets: SecretValues, mend: bool) -> ProvisionResult:
        self.provisioned += 1
        self.mended += mend
        self.given = dict(secrets)
        if self.provisioned <= self.lose_connection:
            raise ConnectionLostError("the connection to the machine was lost in `x`")
        if self.fail_provision is not None:
            raise self.fail_provision
        return ProvisionResult(3, 10, ("Set the timezone",), 1.0)

    def _verify_all(self, instance: Instance, record: Record, *_: object) -> CheckReport:
        self.verified.append(f"all of {instance.name}")
        return self._verify(instance, record)

    def _verify_clone(self, instance: Instance, record: Record, *_: object) -> CheckReport:
        self.verified.append(f"the clone {instance.name}")
        return self._verify(instance, record)

    def _verify(self, instance: Instance, record: Record) -> CheckReport:
        placement = record.placement
        bad = CheckResult(id="up.x", goal=Goal.UP, title="x", outcome=Outcome.FAILED)
        bad = bad.model_copy(update={"fix": f"sandbox up {placement.name}"})
        report = CheckReport(
            sandbox=placement.name,
            box=placement.plan.box_name,
            plan_key=placement.key,
            elapsed_s=1.0,
            results=() if self.green else (bad,),
        )
        instance.write_text("checks.json", report.to_json())
        return report

    def up(self, wanted: Plan | Placement, **options: Any) -> up.UpResult:
        """`sandbox up`; a plan without a place has that of its box's name."""
        placement = wanted if isinstance(wanted, Placement) else placed(wanted)
        return up.up(placement, context=self.context, **options)

    def notices(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Notice)]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Bench(tmp_path, monkeypatch)
