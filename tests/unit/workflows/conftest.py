"""A fake engine and fake guests: nothing leaves this process."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from sandbox.engines.base import Engine
from sandbox.engines.fake import FakeEngine
from sandbox.engines.incus_client import IncusPlace
from sandbox.events import Event, Listener, Notice
from sandbox.placement import Placement
from sandbox.plan import HostLimits, Plan
from sandbox.state import Instance
from sandbox.workflows import context, up
from sandbox.workflows.base import PreparedBase
from tests.fakes.guest import Behaviour, FakeGuest
from tests.unit.factories import placed


class Bench(Behaviour):
    """A fake engine, whose machines behave as this says; and no base image is built."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.engine = FakeEngine(folder / "machines")
        self.engine.folder.mkdir()
        self.events: list[Event] = []
        self.base = PreparedBase("base-debian-12-0", "f00d", packages=None)
        self.context = context.Context(
            place=IncusPlace.from_prefix("test"),
            listener=self.events.append,
            make_engine=lambda *_: self.engine,
            make_guest=self.guest,
        )
        replaced: dict[str, Callable[..., object]] = {
            "sandbox.workflows.make_machine.prepare_base": lambda *_: self.base,
            "sandbox.workflows.make_machine.archives_ahead": lambda: nullcontext(lambda: ()),
            "sandbox.workflows.make_machine.host_limits": lambda _: HostLimits(8, 16384, 100),
        }
        for name, value in replaced.items():
            monkeypatch.setattr(name, value)

    def guest(
        self, placement: Placement, instance: Instance, engine: Engine, listener: Listener
    ) -> FakeGuest:
        return FakeGuest(placement, instance, engine, listener, self)

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
