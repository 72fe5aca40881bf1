"""Workshops on machines in memory; servers answer at once, and nothing leaves this process."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sandbox.errors import ProviderError
from sandbox.providers import Registry
from sandbox.providers.fake import FakeEngine, FakeProvider
from sandbox.providers.place import Place
from sandbox.spec.load_workshop import LoadedWorkshop, load_workshop
from sandbox.workflows.context import Context
from sandbox.workflows.workshop import down, homes, keeper, proxy, push
from sandbox.workflows.workshop.running import RunningWorkshop
from sandbox.workflows.workshop.up import open_workshop
from sandbox.workshop.store import WorkshopStore
from tests.fakes.seats import FakeSeats

FILE = "version: 1\nbox: shiny\nseats: 3\nspare: 1\n"
KEY = "ssh-ed25519 AAAAkey"


@dataclass
class SeatsProvider(FakeProvider):
    """The fake provider, which carries seats too."""

    of_class: FakeSeats = field(default_factory=FakeSeats)

    def seats(self, place: Place) -> FakeSeats:
        del place
        return self.of_class


class Classroom:
    """A workshop file, and what came of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seats = FakeSeats()
        self.engine = FakeEngine(folder / "machines")
        self.engine.folder.mkdir()
        self.silent: set[str] = set()
        """Names of machines whose servers do not answer."""
        self.laid: list[tuple[str, Path]] = []
        self.handed_out: list[str] = []
        self.proxy: list[str] = []
        self.keeper: list[str] = []
        self.baked = 0
        self.saved: list[int] = []
        """Seats whose home was saved before a reset."""
        self.cannot_save: set[int] = set()
        self.context = Context(
            place=Place("test"),
            providers=Registry(
                ("fake",), lambda _: SeatsProvider(self.engine, of_class=self.seats)
            ),
        )

    @property
    def store(self) -> WorkshopStore:
        return WorkshopStore("class")

    def loaded(self, text: str = FILE) -> LoadedWorkshop:
        path = self.folder / "class.workshop.yml"
        path.write_text(text, encoding="utf-8")
        return load_workshop(path)

    def up(self, text: str = FILE) -> RunningWorkshop:
        return open_workshop(self.loaded(text), self.context)

    def ws(self) -> RunningWorkshop:
        return RunningWorkshop.named("class", self.context)

    def save_home(
        self, ws: RunningWorkshop, number: int, *, set_aside: str = "", still_s: int = 0
    ) -> homes.SavedHome:
        assert set_aside == "before-reset"
        if number in self.cannot_save:
            raise ProviderError("there is no room")
        if not still_s:
            self.saved.append(number)
        return homes.SavedHome(ws.store.home_of(number), 1, "0" * 64, datetime.now(UTC))

    def bake(self, *_: object) -> str:
        self.baked += 1
        self.seats.images_of.setdefault("baked1", {self.seats.member_names[0]: "Baked-1"})
        return "baked1"


class CutOffError(BaseException):
    """The process was killed: nothing that it does after this has any effect."""


class Cut:
    """Ends the process at its n-th call of the provider or of the folder; then all later ones."""

    def __init__(self, seats: FakeSeats, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
        self.at, self.calls = at, 0
        self._lock = threading.Lock()
        for name in SEAT_CALLS:
            monkeypatch.setattr(seats, name, self._counted(getattr(seats, name)))
        for name in STORE_CALLS:
            own = getattr(WorkshopStore, name)
            monkeypatch.setattr(WorkshopStore, name, self._counted(own))

    def _counted(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            with self._lock:
                self.calls += 1
                # Half of the cuts come after the change, before anybody has heard of it
                turn = self.calls - self.at
            if turn > 0 or (turn == 0 and self.at % 2):
                raise CutOffError
            done = real(*args, **named)
            if turn == 0:
                raise CutOffError
            return done

        return call


SEAT_CALLS = ("prepare", "spread", "make", "start", "remove", "run", "machines", "clear", "left")
STORE_CALLS = ("write", "change", "change_seat", "secret_of", "remove")


def noting(notes: list[str], word: str) -> Callable[..., None]:
    return lambda *_, **__: notes.append(word)


@pytest.fixture
def classroom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Classroom:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    room = Classroom(tmp_path)
    where = "sandbox.workflows.workshop"

    def answer_of(upstream: str, **_: object) -> str:
        name = next(
            one.name for one in room.seats.there.values() if upstream in one.upstreams.values()
        )
        return "connection refused" if name in room.silent else ""

    def make_key(folder: Path) -> str:
        (folder / "id_ed25519.pub").write_text(KEY + "\n", encoding="utf-8")
        return KEY

    monkeypatch.setattr(f"{where}.answering.answer_of", answer_of)
    monkeypatch.setattr(f"{where}.answering.READY_S", 0.0)
    monkeypatch.setattr(f"{where}.up.make_key", make_key)
    monkeypatch.setattr(f"{where}.up.baked_image", room.bake)
    monkeypatch.setattr(homes, "lay_home", lambda _, name, file: room.laid.append((name, file)))
    monkeypatch.setattr(push, "hand_out", lambda _, name: room.handed_out.append(name))
    monkeypatch.setattr(down, "LEFT_S", 0.0)
    for name in ("ensure_proxy", "refresh_proxy", "stop_proxy", "end_proxy"):
        monkeypatch.setattr(proxy, name, noting(room.proxy, name))
    for name in ("ensure_keeper", "end_keeper"):
        monkeypatch.setattr(keeper, name, noting(room.keeper, name))
    return room


@pytest.fixture
def saving(classroom: Classroom, monkeypatch: pytest.MonkeyPatch) -> None:
    """Homes are saved by nobody; the classroom notes which."""
    monkeypatch.setattr(homes, "save_home", classroom.save_home)
