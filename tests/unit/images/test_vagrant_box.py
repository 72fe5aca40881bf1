"""Which box is taken: whole ones only, and for this host's architecture only."""

import json
import platform
from pathlib import Path

import pytest
from pydantic import ValidationError

from sandbox.errors import BoxError, HostError
from sandbox.events import ignore
from sandbox.images import build, vagrant_box
from sandbox.images.box_files import DISK_NAMES, VmProvider, box_files
from sandbox.images.vagrant_box import (
    choose_kind,
    ensure_public_box,
    is_whole,
    public_box,
)
from sandbox.spec.bases import load_bases
from sandbox.spec.models import PublicBox
from tests.unit.factories import BASE

NAME = "sandbox/debian-12-0123456789ab"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VAGRANT_HOME", str(tmp_path))
    return tmp_path / "boxes" / "sandbox-VAGRANTSLASH-debian-12-0123456789ab" / "1.0.0"


def put_box(folder: Path, provider: VmProvider) -> None:
    folder.mkdir(parents=True)
    files = box_files(provider, key="0123", disk_bytes=5)
    for name, text in files.items():
        (folder / name).write_text(text)
    (folder / DISK_NAMES[provider]).write_bytes(b"12345")


@pytest.mark.parametrize("provider", ["libvirt", "virtualbox"])
@pytest.mark.parametrize("below", [".", "amd64"])
def test_a_whole_box_is_found(store: Path, provider: VmProvider, below: str) -> None:
    assert not is_whole(NAME, "1.0.0", provider)
    put_box(store / below / provider, provider)
    assert is_whole(NAME, "1.0.0", provider)
    assert not is_whole(NAME, "1.0.1", provider)


@pytest.mark.parametrize("provider", ["libvirt", "virtualbox"])
def test_half_a_box_is_none(store: Path, provider: VmProvider) -> None:
    folder = store / provider
    put_box(folder, provider)
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        path.unlink()
        assert not is_whole(NAME, "1.0.0", provider), path.name
        path.write_bytes(content[:-1])
        # metadata.json itself is the one file whose size nobody wrote down
        if path.name != "metadata.json":
            assert not is_whole(NAME, "1.0.0", provider), path.name
        path.write_bytes(content)
    assert is_whole(NAME, "1.0.0", provider)


def test_somebody_elses_box_has_what_its_descriptions_name(store: Path) -> None:
    folder = store / "virtualbox"
    folder.mkdir(parents=True)
    (folder / "metadata.json").write_text('{"provider": "virtualbox"}')
    assert not is_whole(NAME, "1.0.0", "virtualbox")
    (folder / "box.ovf").write_text('<Envelope><File ovf:href="x.vmdk"/></Envelope>')
    assert not is_whole(NAME, "1.0.0", "virtualbox")
    (folder / "x.vmdk").touch()
    assert is_whole(NAME, "1.0.0", "virtualbox")
    other = store / "libvirt"
    other.mkdir()
    disks = {"provider": "libvirt", "disks": [{"path": "a.img"}, {"path": "b.img"}]}
    (other / "metadata.json").write_text(json.dumps(disks))
    (other / "a.img").touch()
    assert not is_whole(NAME, "1.0.0", "libvirt")
    (other / "b.img").touch()
    assert is_whole(NAME, "1.0.0", "libvirt")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"sandbox": {"files": 3}}', "\x00"])
def test_a_broken_description_is_no_box(store: Path, content: str) -> None:
    folder = store / "libvirt"
    folder.mkdir(parents=True)
    (folder / "metadata.json").write_text(content)
    assert not is_whole(NAME, "1.0.0", "libvirt")


def test_an_arm64_host_is_told_about_an_amd64_box(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    public = PublicBox(box="debian/bookworm64", box_version="12.1")
    with pytest.raises(HostError, match="for amd64 only, and this host is arm64") as caught:
        ensure_public_box(public, provider="virtualbox", listener=ignore)
    assert caught.value.hint
    assert not store.exists()


def test_which_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "obstacle", lambda *_, **__: None)
    monkeypatch.setattr(vagrant_box, "missing_tools", lambda: ())
    assert choose_kind("auto", "libvirt") == "build"
    assert choose_kind("public", "libvirt") == "public"
    monkeypatch.setattr(vagrant_box, "missing_tools", lambda: ("qemu-utils", "fakeroot"))
    for source in ("auto", "build"):
        with pytest.raises(HostError) as caught:
            choose_kind(source, "virtualbox")
        assert "qemu-utils, fakeroot" in caught.value.details
        assert "apt-get install qemu-utils fakeroot" in caught.value.hint
    other = build.Obstacle("it is not a Debian")
    monkeypatch.setattr(build, "obstacle", lambda *_, **__: other)
    assert choose_kind("auto", "virtualbox") == "public"
    with pytest.raises(HostError, match="cannot build"):
        choose_kind("build", "virtualbox")


def test_every_base_names_public_boxes() -> None:
    bases = load_bases()
    for base in bases.values():
        for provider in ("libvirt", "virtualbox"):
            found = public_box(base, provider)
            assert found.box_version
    arm64 = public_box(bases["debian-12"], "virtualbox").architectures
    assert "arm64" in arm64
    with pytest.raises(BoxError, match="names no public box"):
        public_box(BASE, "libvirt")


def test_a_url_is_never_taken_without_a_checksum() -> None:
    with pytest.raises(ValidationError, match="sha256 beside it"):
        PublicBox(box="debian/x", box_version="1", url="https://mirror.example/x.box")
