"""Workshops on machines in memory; servers answer at once, and nothing leaves this process."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sandbox.providers import Registry
from sandbox.providers.fake import FakeEngine, FakeProvider
from sandbox.providers.place import Place
from sandbox.spec.load_workshop import LoadedWorkshop, load_workshop
from sandbox.workflows.context import Context
from sandbox.workflows.workshop import homes, keeper, proxy, push
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

    def bake(self, *_: object) -> str:
        self.baked += 1
        self.seats.images_of.setdefault("baked1", {self.seats.member_names[0]: "Baked-1"})
        return "baked1"


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
    for name in ("ensure_proxy", "refresh_proxy", "stop_proxy"):
        monkeypatch.setattr(proxy, name, noting(room.proxy, name))
    for name in ("ensure_keeper", "stop_keeper"):
        monkeypatch.setattr(keeper, name, noting(room.keeper, name))
    return room
