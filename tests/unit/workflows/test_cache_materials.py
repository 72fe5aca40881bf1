"""What is kept beside baked images: listed with its size, pruned when nobody needs it."""

import os
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sandbox.engines.base import BaseCopy
from sandbox.engines.fake import FakeEngine
from sandbox.engines.vagrant_files import VmFolder, VmRecord
from sandbox.errors import ProviderError
from sandbox.images.outdated import OldBase
from sandbox.images.stored_boxes import OurBox
from sandbox.paths import cache_dir
from sandbox.state import Instance
from sandbox.workflows import cache, cache_materials
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
    """What this host keeps, in memory; removing takes it out."""

    def __init__(self) -> None:
        self.boxes: list[OurBox] = []
        self.bases: list[OldBase] | None = []
        self.busy = False

    def remove_box(self, box: OurBox) -> bool:
        if not self.busy:
            self.boxes.remove(box)
        return not self.busy

    def remove_base(self, _: object, base: OldBase) -> None:
        assert self.bases is not None
        self.bases.remove(base)


@pytest.fixture
def host(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelves:
    made = Shelves()
    monkeypatch.setenv("VAGRANT_HOME", str(tmp_path / "vagrant"))
    bench.engine = CopyingEngine(bench.engine.folder)
    for module in (cache, cache_materials):
        monkeypatch.setattr(module, "DRIVEN", ("fake",))
    monkeypatch.setattr(type(bench.context), "client", lambda _: None)
    replaced: dict[str, Any] = {
        "bases_or_none": lambda _: None if made.bases is None else tuple(made.bases),
        "stale_folders": lambda _: (),
        "remove_base": made.remove_base,
        "our_boxes": lambda: tuple(made.boxes),
        "remove_box": made.remove_box,
    }
    for name, value in replaced.items():
        monkeypatch.setattr(cache_materials, name, value)
    return made


def prune(bench: Bench, rule: PruneRule | None = None, *, dry_run: bool = False) -> list[str]:
    found = cache.prune(rule or PruneRule(), context=bench.context, dry_run=dry_run)
    return [one.image for one in found]


def box(word: str, *, days: float = 1, outdated: bool = True) -> OurBox:
    return OurBox(
        image=f"sandbox/debian-12-{word}@1.0.0",
        base="debian-12",
        key=word,
        provider="libvirt",
        folder=Path("/boxes") / word,
        made_at=NOW - days * DAY,
        size_bytes=1000,
        whole=True,
        outdated=outdated,
    )


def base(word: str, *, days: float = 1, outdated: bool = True) -> OldBase:
    made_at = NOW - days * DAY
    name = f"base-debian-12-{word}"
    return OldBase(name, "debian-12", word, word, made_at, made_at, 1000, outdated)


def vm_made_of(name: str, image: str) -> None:
    """The folder of a sandbox that is a VM."""
    folder = Instance(name).folder
    folder.mkdir(parents=True)
    record = VmRecord(
        provider="libvirt",
        name=name,
        vm_name=f"sandbox-{name}",
        uuid="0b4e7a0c-6e0b-4a55-9f0b-0123456789ab",
        image=image,
        cpus=1,
        memory_mb=512,
        disk_gb=4,
        authorized_key="",
        ssh_port=2222,
    )
    VmFolder(folder).write(record)


def shelf(suite: str, *, days: float = 0, word: str = "default") -> Path:
    folder = cache_dir() / "archives" / f"{suite}-amd64-{word}"
    folder.mkdir(parents=True)
    deb = folder / f"{'0' * 64}_hello_1_all.deb"
    deb.write_bytes(b"12345")
    stamp = (NOW - days * DAY).timestamp()
    os.utime(deb, (stamp, stamp))
    return folder


def test_everything_is_listed_with_its_size(bench: Bench, host: Shelves) -> None:
    host.bases = [base("new", outdated=False)]
    host.boxes = [box("new", outdated=False)]
    assert isinstance(bench.engine, CopyingEngine)
    bench.engine.copies["copy"] = BaseCopy("copy", 300, ("one",))
    folder = shelf("bookworm")
    vm_made_of("one", "sandbox/debian-12-new@1.0.0")
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
    new, used, old = box("new", outdated=False), box("used", days=2), box("old", days=3)
    host.boxes = [new, used, old]
    vm_made_of("one", used.image)
    assert prune(bench, dry_run=True) == [old.image]
    assert host.boxes == [new, used, old]
    assert prune(bench) == [old.image]
    assert host.boxes == [new, used]


def test_half_a_box_always_goes(bench: Bench, host: Shelves) -> None:
    half = replace(box("half", outdated=False), whole=False)
    host.boxes = [half]
    assert prune(bench, PruneRule(older_than=DAY * 99, keep_last=9)) == [half.image]


def test_a_box_that_somebody_makes_anew_stays(bench: Bench, host: Shelves) -> None:
    host.boxes, host.busy = [box("old")], True
    assert prune(bench) == []


def test_a_box_that_is_not_ours_to_remove_is_named(
    bench: Bench, host: Shelves, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.boxes = [box("old")]

    def refuse(_: OurBox) -> bool:
        raise PermissionError("not yours")

    monkeypatch.setattr(cache_materials, "remove_box", refuse)
    assert prune(bench) == []
    assert any("not yours" in text for text in bench.notices())


def test_age_and_number_spare_boxes_bases_and_packages(bench: Bench, host: Shelves) -> None:
    host.boxes = [box("new", outdated=False), box("two", days=2), box("three", days=3)]
    host.bases = [base("new", outdated=False), base("two", days=2), base("three", days=3)]
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
