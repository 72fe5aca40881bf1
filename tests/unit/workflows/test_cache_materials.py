"""What is kept beside baked images: listed with its size, pruned when nobody needs it."""

import hashlib
import os
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sandbox.errors import ProviderError
from sandbox.fetch.store import SourceNote, Store
from sandbox.paths import cache_dir
from sandbox.providers import Registry
from sandbox.providers.abilities import BaseCopy
from sandbox.providers.base_images import StoredBase
from sandbox.providers.fake import FakeEngine, FakeProvider
from sandbox.workflows import cache
from sandbox.workflows.cache_materials import PruneRule
from tests.unit.workflows.conftest import Bench

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@dataclass
class CopyingEngine(FakeEngine):
    """A fake hypervisor with copies of base images."""

    copies: dict[str, BaseCopy] = field(default_factory=dict)

    def base_copies(self) -> tuple[BaseCopy, ...]:
        self._called("base_copies", "")
        return tuple(self.copies.values())

    def drop_unused_bases(self) -> tuple[str, ...]:
        unused = tuple(copy.name for copy in self.copies.values() if not copy.machines)
        for name in unused:
            del self.copies[name]
        return unused


class Shelves:
    """What providers keep, in memory; removing takes it out."""

    def __init__(self) -> None:
        self.boxes: list[StoredBase] = []
        self.bases: list[StoredBase] | None = []
        self.busy = False
        self.refusal: OSError | None = None

    def box(self, word: str, *, days: float = 1, outdated: bool = True) -> StoredBase:
        """A base image for libvirt; when it was last used is not known."""
        image = f"sandbox/debian-12-{word}@1.0.0"

        def remove() -> bool:
            if self.refusal is not None:
                raise self.refusal
            if not self.busy:
                self.boxes = [one for one in self.boxes if one.image != image]
            return not self.busy

        return StoredBase(
            image=image,
            base="debian-12",
            key=word,
            made_at=NOW - days * DAY,
            size_bytes=1000,
            outdated=outdated,
            title=f"{image} for libvirt",
            remove=remove,
        )

    def base(self, word: str, *, days: float = 1, outdated: bool = True) -> StoredBase:
        """A base image in Incus, never used since it was made."""
        image = f"base-debian-12-{word}"

        def remove() -> bool:
            self.bases = [one for one in self.bases or () if one.image != image]
            return True

        return StoredBase(
            image=image,
            base="debian-12",
            key=word,
            made_at=NOW - days * DAY,
            used_at=NOW - days * DAY,
            size_bytes=1000,
            outdated=outdated,
            title=image,
            remove=remove,
        )


@pytest.fixture
def host(bench: Bench) -> Shelves:
    made = Shelves()
    bench.engine = CopyingEngine(bench.engine.folder)
    elsewhere = FakeEngine(bench.engine.folder / "elsewhere")
    elsewhere.folder.mkdir()

    def load(name: str) -> FakeProvider:
        if name == "libvirt":
            return FakeProvider(elsewhere, bases=tuple(made.boxes), name=name)
        if name == "incus":
            silent = ProviderError("nobody answers")
            bases = silent if made.bases is None else tuple(made.bases)
            return FakeProvider(elsewhere, bases=bases, name=name)
        return FakeProvider(bench.engine, name=name)

    bench.context = replace(bench.context, providers=Registry(("fake", "libvirt", "incus"), load))
    return made


def prune(bench: Bench, rule: PruneRule | None = None, *, dry_run: bool = False) -> list[str]:
    found = cache.prune(rule or PruneRule(), context=bench.context, dry_run=dry_run)
    return [one.image for one in found]


def shelf(suite: str, *, days: float = 0, word: str = "default") -> Path:
    folder = cache_dir() / "archives" / f"{suite}-amd64-{word}"
    folder.mkdir(parents=True)
    deb = folder / f"{'0' * 64}_hello_1_all.deb"
    deb.write_bytes(b"12345")
    stamp = (NOW - days * DAY).timestamp()
    os.utime(deb, (stamp, stamp))
    return folder


def test_everything_is_listed_with_its_size(bench: Bench, host: Shelves) -> None:
    host.bases = [host.base("new", outdated=False)]
    host.boxes = [replace(host.box("new", outdated=False), machines=("one",))]
    assert isinstance(bench.engine, CopyingEngine)
    bench.engine.copies["copy"] = BaseCopy("copy", 300, ("one",))
    folder = shelf("bookworm")
    listed = {one.image: one for one in cache.kept(bench.context)}
    assert {one.image: (one.kind, one.provider, one.size_bytes) for one in listed.values()} == {
        "base-debian-12-new": ("base", "incus", 1000),
        "sandbox/debian-12-new@1.0.0": ("base", "libvirt", 1000),
        "copy": ("copy", "fake", 300),
        str(folder): ("packages", "", 5),
    }
    assert listed["sandbox/debian-12-new@1.0.0"].machines == ("one",)
    assert listed["copy"].machines == ("one",)


def test_the_newest_box_of_a_base_stays_and_so_does_what_is_in_use(
    bench: Bench, host: Shelves
) -> None:
    new, used, old = (
        host.box("new", outdated=False),
        host.box("used", days=2),
        host.box("old", days=3),
    )
    used = replace(used, machines=("one",))
    host.boxes = [new, used, old]
    assert prune(bench, dry_run=True) == [old.image]
    assert host.boxes == [new, used, old]
    assert prune(bench) == [old.image]
    assert host.boxes == [new, used]


def test_half_a_box_always_goes(bench: Bench, host: Shelves) -> None:
    half = replace(host.box("half", outdated=False), whole=False)
    host.boxes = [half]
    assert prune(bench, PruneRule(older_than=DAY * 99, keep_last=9)) == [half.image]


def test_a_box_that_somebody_makes_anew_stays(bench: Bench, host: Shelves) -> None:
    host.boxes, host.busy = [host.box("old")], True
    assert prune(bench) == []


def test_a_box_that_is_not_ours_to_remove_is_named(bench: Bench, host: Shelves) -> None:
    host.boxes = [host.box("old")]
    host.refusal = PermissionError("not yours")
    assert prune(bench) == []
    assert any("not yours" in text for text in bench.notices())


def test_age_and_number_spare_boxes_bases_and_packages(bench: Bench, host: Shelves) -> None:
    host.boxes = [
        host.box("new", outdated=False),
        host.box("two", days=2),
        host.box("three", days=3),
    ]
    host.bases = [
        host.base("new", outdated=False),
        host.base("two", days=2),
        host.base("three", days=3),
    ]
    folders = [shelf("bookworm"), shelf("bookworm", days=2, word="0" * 12)]
    assert prune(bench, PruneRule(older_than=DAY * 9), dry_run=True) == []
    assert prune(bench, PruneRule(keep_last=3), dry_run=True) == []
    threes = ["sandbox/debian-12-three@1.0.0", "base-debian-12-three"]
    assert prune(bench, PruneRule(keep_last=2), dry_run=True) == threes
    older = PruneRule(older_than=DAY * 2.5)
    assert prune(bench, older, dry_run=True) == threes
    assert prune(bench, PruneRule(keep_last=1))[-1] == str(folders[1])
    assert [folder.exists() for folder in folders] == [True, False]
    assert prune(bench) == [str(folders[0])]


def test_packages_of_each_release_count_by_themselves(bench: Bench, host: Shelves) -> None:
    del host
    shelf("bookworm")
    shelf("trixie", days=9)
    assert prune(bench, PruneRule(keep_last=1)) == []


def test_copies_that_no_disk_hangs_on_go(bench: Bench, host: Shelves) -> None:
    del host
    assert isinstance(bench.engine, CopyingEngine)
    used, spare = BaseCopy("used", 1, ("one",)), BaseCopy("spare", 1, ())
    bench.engine.copies = {"used": used, "spare": spare}
    rule = PruneRule(older_than=DAY * 99, keep_last=9)
    assert prune(bench, rule, dry_run=True) == ["spare"]
    assert list(bench.engine.copies) == ["used", "spare"]
    assert prune(bench, rule) == ["spare"]
    assert list(bench.engine.copies) == ["used"]


def test_what_cannot_be_asked_hides_nothing_else(bench: Bench, host: Shelves) -> None:
    host.bases = None
    bench.engine.failures["base_copies"] = ProviderError("it is not running")
    folder = shelf("bookworm")
    assert [one.image for one in cache.kept(bench.context)] == [str(folder)]
    assert prune(bench) == [str(folder)]


def test_fetched_files_are_listed_together_and_go_by_age(bench: Bench, host: Shelves) -> None:
    del host
    store = Store()
    old, new = (hashlib.sha256(content).hexdigest() for content in (b"old", b"new"))
    for sha256, days in ((old, 40), (new, 1)):
        with store.incoming(sha256) as fresh:
            fresh.write_bytes(b"old" if sha256 == old else b"new")
            path = store.keep(fresh, sha256)
        at = (NOW - days * DAY).timestamp()
        os.utime(path, (at, at))
        url = f"https://in.example/{sha256}"
        store.note(sha256, SourceNote(url=url, sha256=sha256, size_bytes=3))

    def fetched() -> list[tuple[str, int | None]]:
        return [
            (one.image, one.size_bytes)
            for one in cache.kept(bench.context)
            if one.kind == "fetched"
        ]

    assert fetched() == [(str(cache_dir() / "fetched"), 6)]
    (gone,) = cache.prune(PruneRule(older_than=30 * DAY, keep_last=1), context=bench.context)
    assert (gone.kind, gone.size_bytes) == ("fetched", 3)
    assert (store.noted(old), store.find(old)) == (None, None)
    assert store.noted(new) is not None
    assert store.find(new) is not None
    assert cache.prune(PruneRule(keep_last=1), context=bench.context) == ()
    cache.prune(PruneRule(), context=bench.context)
    assert fetched() == []
