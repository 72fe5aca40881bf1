"""Base images of ours in Vagrant's store: only ours, only the overtaken ones, never half of one."""

import fcntl
import os
from pathlib import Path

import pytest

from sandbox.providers.vagrant.box_files import box_files
from sandbox.providers.vagrant.files import VmFolder, VmProvider, VmRecord
from sandbox.providers.vagrant.stored_boxes import (
    OurBox,
    our_boxes,
    remove_box,
    stored_bases,
    stored_keys,
)
from sandbox.state import Instance
from tests.box_forms import FORMS

OLD, NEW = "debian-12-0123456789ab", "debian-12-ba9876543210"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VAGRANT_HOME", str(tmp_path / "vagrant"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "vagrant" / "boxes"


def put(store: Path, name: str, below: str, *, age: int, provider: VmProvider = "libvirt") -> Path:
    """A whole box; the greater its `age`, the older."""
    folder = store / name / "1.0.0" / below / provider
    folder.mkdir(parents=True)
    for file, text in box_files(FORMS[provider], key="0123", disk_bytes=5).items():
        (folder / file).write_text(text)
    (folder / FORMS[provider].disk_name).write_bytes(b"12345")
    os.utime(folder, (1e9 - age, 1e9 - age))
    return folder


def ours(name: str) -> str:
    return f"sandbox-VAGRANTSLASH-{name}"


def found() -> dict[str, OurBox]:
    return {
        f"{box.image} {box.provider}": box
        for box in (*our_boxes("libvirt"), *our_boxes("virtualbox"))
    }


def test_the_newest_of_each_base_and_provider_is_not_outdated(store: Path) -> None:
    put(store, ours(OLD), ".", age=2)
    put(store, ours(NEW), "amd64", age=1)
    put(store, ours(OLD), ".", age=3, provider="virtualbox")
    put(store, ours("debian-13-0123456789ab"), ".", age=9)
    put(store, "debian-VAGRANTSLASH-bookworm64", ".", age=9)
    put(store, "sandbox-dev-VAGRANTSLASH-tiny", ".", age=9)
    put(store, ours("handmade"), ".", age=9)
    boxes = found()
    assert {name: box.outdated for name, box in boxes.items()} == {
        f"sandbox/{NEW}@1.0.0 libvirt": False,
        f"sandbox/{OLD}@1.0.0 libvirt": True,
        f"sandbox/{OLD}@1.0.0 virtualbox": False,
        "sandbox/debian-13-0123456789ab@1.0.0 libvirt": False,
    }
    newest = boxes[f"sandbox/{NEW}@1.0.0 libvirt"]
    assert (newest.base, newest.key, newest.whole) == ("debian-12", "ba9876543210", True)
    assert newest.size_bytes > 5


def test_half_a_box_overtakes_none(store: Path) -> None:
    put(store, ours(OLD), ".", age=2)
    (put(store, ours(NEW), ".", age=1) / "box.img").unlink()
    boxes = found()
    assert not boxes[f"sandbox/{OLD}@1.0.0 libvirt"].outdated
    half = boxes[f"sandbox/{NEW}@1.0.0 libvirt"]
    assert (half.whole, half.outdated) == (False, False)


def test_removing_leaves_nothing_but_other_providers(store: Path) -> None:
    put(store, ours(OLD), "amd64", age=2)
    other = put(store, ours(OLD), ".", age=2, provider="virtualbox")
    [gone], [kept] = our_boxes("libvirt"), our_boxes("virtualbox")
    build = gone.build_folders[0]
    build.mkdir(parents=True)
    (build / "packages.txt.gz").touch()
    (store / ours(OLD) / "metadata_url").touch()
    assert remove_box(gone)
    assert (our_boxes("libvirt"), our_boxes("virtualbox")) == ((), (kept,))
    assert not (store / ours(OLD) / "1.0.0" / "amd64").exists()
    assert other.exists()
    assert [path.name for path in build.iterdir()] == ["lock"]
    assert remove_box(kept)
    assert list(store.iterdir()) == []


@pytest.mark.parametrize("number", [0, 1])
def test_what_somebody_makes_just_now_is_left_alone(store: Path, number: int) -> None:
    folder = put(store, ours(OLD), ".", age=2)
    [box] = our_boxes("libvirt")
    build = box.build_folders[number]
    build.mkdir(parents=True)
    with (build / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        assert not remove_box(box)
        assert our_boxes("libvirt") == (box,)
        # Vagrant moves its files in one by one
        (folder / "box.img").unlink()
        assert our_boxes("libvirt") == ()
    [left] = our_boxes("libvirt")
    assert not left.whole


def test_the_sandboxes_made_from_a_box_are_told(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    put(store, ours(OLD), ".", age=2)
    put(store, ours(NEW), ".", age=1)
    put(store, ours(NEW), ".", age=1, provider="virtualbox")
    vm_made_of("one", f"sandbox/{OLD}@1.0.0")
    assert {base.image: base.machines for base in stored_bases("libvirt")} == {
        f"sandbox/{NEW}@1.0.0": (),
        f"sandbox/{OLD}@1.0.0": ("one",),
    }
    assert [base.outdated for base in stored_bases("virtualbox")] == [False]
    assert stored_keys() == {"0123456789ab", "ba9876543210"}


def test_removing_one_clears_the_store(store: Path) -> None:
    put(store, ours(OLD), ".", age=2)
    put(store, ours(NEW), ".", age=1)
    [old] = [base for base in stored_bases("libvirt") if base.outdated]
    assert old.title == f"sandbox/{OLD}@1.0.0 for libvirt"
    assert old.remove()
    assert [base.image for base in stored_bases("libvirt")] == [f"sandbox/{NEW}@1.0.0"]


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
