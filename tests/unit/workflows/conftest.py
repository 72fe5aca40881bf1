"""A fake engine and fake guests: nothing leaves this process."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from sandbox.errors import SandboxError
from sandbox.events import Event, Listener, Notice
from sandbox.placement import Placement
from sandbox.plan import HostLimits, Plan
from sandbox.providers import Registry
from sandbox.providers.base_images import PreparedBase, StoredBase
from sandbox.providers.engine import Engine
from sandbox.providers.fake import FakeEngine, FakeProvider
from sandbox.providers.place import Place
from sandbox.state import Instance
from sandbox.workflows import context, up
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
        self.room = HostLimits(8, 16384, 100)
        self.bases: tuple[StoredBase, ...] | SandboxError = ()
        self.context = context.Context(
            place=Place("test"),
            listener=self.events.append,
            providers=Registry(("fake",), self._provider),
            make_guest=self.guest,
        )
        replaced: dict[str, Callable[..., object]] = {
            "sandbox.workflows.make_machine.archives_ahead": lambda: nullcontext(lambda: ()),
        }
        for name, value in replaced.items():
            monkeypatch.setattr(name, value)

    def _provider(self, name: str) -> FakeProvider:
        """Whatever the name: a plan may say one of the real ones."""
        return FakeProvider(
            self.engine, base=self.base, room=self.room, bases=self.bases, name=name
        )

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
