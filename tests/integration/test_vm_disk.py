"""Disks and boxes with the real tools: a partition that Linux reads, a store that Vagrant keeps."""

import hashlib
import io
import json
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from sandbox.errors import ProviderError
from sandbox.events import ignore
from sandbox.images import disk
from sandbox.images.tools import host_architecture, tool_path
from sandbox.providers.vagrant import base_box as vagrant_box
from sandbox.providers.vagrant.base_box import box_root, checked_name, ensure_public_box, is_whole
from sandbox.providers.vagrant.box_files import catalogue
from sandbox.providers.vagrant.files import VmProvider
from sandbox.spec.base_models import PublicBox
from tests.box_forms import FORMS

PARTITION = "?offset=1048576"


def debugfs(image: Path, command: str) -> str:
    done = subprocess.run(
        ["debugfs", "-R", command, f"{image}{PARTITION}"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PATH": tool_path()},
    )
    return done.stdout


@pytest.fixture
def raw(vagrant_tools: None, tmp_path: Path) -> Path:
    """A disk made of a root with a few files that are hard to get right."""
    del vagrant_tools
    root = tmp_path / "rootfs.tar"
    with tarfile.open(root, "w") as archive:
        for name, mode, owner in (("su", 0o4755, 0), ("mine", 0o640, 1234)):
            entry = tarfile.TarInfo(f"./{name}")
            entry.size, entry.mode, entry.uid, entry.gid = 3, mode, owner, owner
            archive.addfile(entry, io.BytesIO(b"abc"))
        link = tarfile.TarInfo("./vmlinuz")
        link.type, link.linkname = tarfile.SYMTYPE, "boot/vmlinuz-1"
        archive.addfile(link)
        twin = tarfile.TarInfo("./twin")
        twin.type, twin.linkname = tarfile.LNKTYPE, "./su"
        archive.addfile(twin)
    return disk.build_disk(root, tmp_path, tmp_path / "log")


def test_a_disk_that_linux_and_grub_can_read(raw: Path) -> None:
    path = {**os.environ, "PATH": tool_path()}
    argv = ("sfdisk", "--json", str(raw))
    told = subprocess.run(argv, capture_output=True, text=True, check=True, env=path).stdout
    table = json.loads(told)["partitiontable"]
    (partition,) = table["partitions"]
    assert table["label"] == "dos"
    assert partition["bootable"] is True
    assert partition["start"] == 2048
    assert (partition["start"] + partition["size"]) * 512 == raw.stat().st_size
    # Sparse: it takes no more than what is in it
    assert raw.stat().st_blocks * 512 < 200_000_000
    with raw.open("rb") as stream:
        assert b"GRUB" in stream.read(512)
    checked = subprocess.run(
        ["e2fsck", "-f", "-n", f"{raw}{PARTITION}"],
        capture_output=True,
        text=True,
        check=False,
        env=path,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    features = debugfs(raw, "features")
    assert "metadata_csum" in features
    assert "orphan_file" not in features
    assert "metadata_csum_seed" not in features


def test_owners_modes_and_links_survive(raw: Path) -> None:
    assert "User:     0" in debugfs(raw, "stat /su")
    assert "Mode:  04755" in debugfs(raw, "stat /su")
    assert "Links: 2" in debugfs(raw, "stat /su")
    assert "User:  1234" in debugfs(raw, "stat /mine")
    assert "boot/vmlinuz-1" in debugfs(raw, "stat /vmlinuz")
    assert not (raw.parent / "root").exists()


@pytest.fixture
def store(vagrant_tools: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    del vagrant_tools
    monkeypatch.setenv("VAGRANT_HOME", str(tmp_path / "vagrant"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def a_box(folder: Path, provider: VmProvider) -> Path:
    folder.mkdir()
    image = folder / FORMS[provider].disk_name
    image.write_bytes(b"not a disk, but that is no matter to the store")
    return vagrant_box.pack_box(image, FORMS[provider], "0123456789ab")


@pytest.mark.parametrize("provider", ["libvirt", "virtualbox"])
def test_vagrant_takes_our_box_and_half_of_one_is_made_whole(
    store: Path, provider: VmProvider
) -> None:
    box = a_box(store / "made", provider)
    name, log = "sandbox/test-0123456789ab", store / "log"
    text = catalogue(name, "1.0.0", provider, box.as_uri())
    vagrant_box._add(text, provider, store, log, ignore)
    assert is_whole(name, "1.0.0", provider)
    assert not (box_root(name) / "metadata_url").exists()
    next(box_root(name).rglob(FORMS[provider].disk_name)).unlink()
    assert not is_whole(name, "1.0.0", provider)
    vagrant_box._add(text, provider, store, log, ignore)
    assert is_whole(name, "1.0.0", provider)
    listed = subprocess.run(["vagrant", "box", "list"], capture_output=True, text=True, check=True)
    assert f"{name} ({provider}, 1.0.0" in listed.stdout


def test_a_public_box_is_what_its_checksum_says(store: Path) -> None:
    box = a_box(store / "made", "libvirt")
    digest = hashlib.sha256(box.read_bytes()).hexdigest()
    here = {
        "box": "somebody/debian",
        "box_version": "12.20250126.1",
        "architectures": (host_architecture(),),
        "url": box.as_uri(),
    }
    wrong = PublicBox.model_validate({**here, "sha256": {host_architecture(): "0" * 64}})
    with pytest.raises(ProviderError) as caught:
        ensure_public_box(wrong, provider="libvirt", listener=ignore)
    assert "checksum" in caught.value.details.lower()
    assert not is_whole(checked_name("somebody/debian", "0" * 64), "12.20250126.1", "libvirt")
    # What the user has under its public name is not taken for it, whatever that is
    foreign = a_box(store / "foreign", "libvirt")
    text = catalogue("somebody/debian", "12.20250126.1", "libvirt", foreign.as_uri())
    vagrant_box._add(text, "libvirt", store, store / "log", ignore)
    right = PublicBox.model_validate({**here, "sha256": {host_architecture(): digest}})
    found = ensure_public_box(right, provider="libvirt", listener=ignore)
    assert found.image == f"sandbox/somebody-debian-{digest[:12]}@12.20250126.1"
    assert is_whole(found.name, "12.20250126.1", "libvirt")
    box.unlink()
    assert ensure_public_box(right, provider="libvirt", listener=ignore) == found


def test_vagrants_own_words_when_a_public_box_cannot_be_fetched(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A port that nobody listens on
    monkeypatch.setenv("VAGRANT_SERVER_URL", "http://127.0.0.1:9")
    named = {"box": "debian/bookworm64", "box_version": "12.1"}
    public = PublicBox.model_validate({**named, "architectures": (host_architecture(),)})
    with pytest.raises(ProviderError) as caught:
        ensure_public_box(public, provider="libvirt", listener=ignore)
    assert "debian/bookworm64" in caught.value.details
    assert "--base-source build" in caught.value.hint


def test_the_formats_that_the_hypervisors_want(raw: Path, tmp_path: Path) -> None:
    for provider, form in FORMS.items():
        target = tmp_path / form.disk_name
        disk.convert(raw, target, form.convert, tmp_path / "log")
        told = subprocess.run(
            ["qemu-img", "info", "--output=json", str(target)],
            capture_output=True,
            text=True,
            check=True,
        )
        info = json.loads(told.stdout)
        assert info["virtual-size"] == disk.DISK_GB * 1024**3
        assert info["format"] == {"libvirt": "qcow2", "virtualbox": "vmdk"}[provider]
        if provider == "virtualbox":
            assert info["format-specific"]["data"]["create-type"] == "streamOptimized"
