"""Which box is taken: whole ones only, and for this host's architecture only."""

import json
import platform
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from sandbox.errors import BoxError, HostError, ProviderError
from sandbox.events import Event, Notice, ignore
from sandbox.fetch.fetcher import Fetched, Fetcher
from sandbox.fetch.routes import Routes
from sandbox.images import build
from sandbox.providers.vagrant import base_box as vagrant_box
from sandbox.providers.vagrant.base_box import (
    choose_box_kind,
    ensure_public_box,
    is_whole,
    named_box,
    public_box,
)
from sandbox.providers.vagrant.box_files import box_files
from sandbox.providers.vagrant.files import VmProvider
from sandbox.providers.vagrant.hypervisor import find_stored_box
from sandbox.spec.base_models import PublicBox
from sandbox.spec.bases import load_bases
from sandbox.spec.mirrors import Mirrors
from tests.box_forms import FORMS
from tests.unit.factories import BASE

NAME = "sandbox/debian-12-0123456789ab"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VAGRANT_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    return tmp_path / "boxes" / "sandbox-VAGRANTSLASH-debian-12-0123456789ab" / "1.0.0"


def put_box(folder: Path, provider: VmProvider) -> None:
    folder.mkdir(parents=True)
    files = box_files(FORMS[provider], key="0123", disk_bytes=5)
    for name, text in files.items():
        (folder / name).write_text(text)
    (folder / FORMS[provider].disk_name).write_bytes(b"12345")


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
    assert choose_box_kind("auto", "libvirt") == "build"
    assert choose_box_kind("public", "libvirt") == "public"
    monkeypatch.setattr(vagrant_box, "missing_tools", lambda: ("qemu-utils", "fakeroot"))
    for source in ("auto", "build"):
        with pytest.raises(HostError) as caught:
            choose_box_kind(source, "virtualbox")
        assert "qemu-utils, fakeroot" in caught.value.details
        assert "apt-get install qemu-utils fakeroot" in caught.value.hint
    other = build.Obstacle("it is not a Debian")
    monkeypatch.setattr(build, "obstacle", lambda *_, **__: other)
    assert choose_box_kind("auto", "virtualbox") == "public"
    with pytest.raises(HostError, match="cannot build"):
        choose_box_kind("build", "virtualbox")


def test_every_base_names_public_boxes() -> None:
    bases = load_bases()
    for base in bases.values():
        for provider in ("libvirt", "virtualbox"):
            if (base.name, provider) == ("ubuntu-22.04", "libvirt"):
                # None is published at a version that we know to stay
                assert base.images.public_box(provider) is None
                continue
            found = public_box(base, provider)
            assert found.box_version
    arm64 = public_box(bases["debian-12"], "virtualbox").architectures
    assert "arm64" in arm64
    with pytest.raises(BoxError, match="names no public box"):
        public_box(BASE, "libvirt")


def test_a_url_is_never_taken_without_a_checksum() -> None:
    with pytest.raises(ValidationError, match="sha256 too"):
        PublicBox(box="debian/x", box_version="1", url="https://mirror.example/x.box")
    with pytest.raises(ValidationError, match="not among its architectures"):
        PublicBox(box="debian/x", box_version="1", sha256={"arm64": "0" * 64})


FILE = Path("/the/store/file")


def told(
    public: PublicBox, sha256: str | None, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, dict[str, Any], list[str]]:
    """The box's name here, what Vagrant is asked to add, and what the user hears."""
    asked: dict[str, Any] = {}
    heard: list[Event] = []

    def add(words: tuple[str, ...], *_: object, **__: object) -> None:
        path = Path(words[0])
        asked.update(
            json.loads(path.read_text(encoding="utf-8"))
            if path.suffix == ".json"
            else {"words": words}
        )

    def obtain(_: Fetcher, urls: list[str], *, sha256: str) -> Fetched:
        asked["fetched"] = urls
        return Fetched(FILE, sha256, 1, urls[0])

    monkeypatch.setattr(vagrant_box, "_vagrant_add", add)
    monkeypatch.setattr(Fetcher, "obtain", obtain)
    found = ensure_public_box(public, sha256, provider="virtualbox", listener=heard.append)
    return found.image, asked, [one.text for one in heard if isinstance(one, Notice)]


def test_each_architecture_has_its_own_checksum(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del store
    monkeypatch.setenv("VAGRANT_SERVER_URL", "https://boxes.example")
    sums = {"amd64": "a" * 64, "arm64": "b" * 64}
    public = PublicBox(
        box="bento/debian-12",
        box_version="1.2",
        architectures=("amd64", "arm64"),
        sha256=sums,  # type: ignore[arg-type]
    )
    for machine, architecture in (("x86_64", "amd64"), ("arm64", "arm64")):
        monkeypatch.setattr(platform, "machine", lambda machine=machine: machine)
        image, asked, notices = told(public, None, monkeypatch)
        digest = sums[architecture]
        assert image == f"sandbox/bento-debian-12-{digest[:12]}@1.2"
        (provider,) = asked["versions"][0]["providers"]
        assert provider["checksum"] == digest
        assert provider["architecture"] == architecture
        assert provider["url"] == FILE.as_uri()
        (url,) = asked["fetched"]
        assert url.startswith("https://boxes.example/bento/boxes/debian-12/")
        assert notices == []


def test_without_a_checksum_it_is_said(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del store
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    public = named_box("bento/debian-12", "1.2")
    image, asked, notices = told(public, None, monkeypatch)
    assert image == "bento/debian-12@1.2"
    assert asked["words"] == ("bento/debian-12", "--box-version", "1.2")
    (notice,) = notices
    assert "no checksum of it is pinned" in notice
    # As a box gives it: for the host that it is meant for
    image, asked, notices = told(public, "c" * 64, monkeypatch)
    assert image == "sandbox/bento-debian-12-cccccccccccc@1.2"
    assert asked["versions"][0]["providers"][0]["checksum"] == "c" * 64
    assert notices == []


def test_a_box_for_another_architecture_is_not_ours(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_box(store / "arm64" / "virtualbox", "virtualbox")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    assert not is_whole(NAME, "1.0.0", "virtualbox")
    with pytest.raises(HostError, match="is for arm64, and this host is amd64"):
        find_stored_box(NAME, "virtualbox")
    put_box(store / "amd64" / "virtualbox", "virtualbox")
    assert find_stored_box(NAME, "virtualbox").folder == store / "amd64" / "virtualbox"
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    assert find_stored_box(f"{NAME}@1.0.0", "virtualbox").folder == store / "arm64" / "virtualbox"
    with pytest.raises(ProviderError, match="has no base image"):
        find_stored_box(f"{NAME}@2.0.0", "virtualbox")


def test_a_mirror_stands_for_the_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAGRANT_SERVER_URL", "https://boxes.example")
    assert vagrant_box._server(Routes()) == "https://boxes.example"
    assert vagrant_box._by_itself(Routes()) == {}
    mirrors = Mirrors(
        vagrant_boxes="https://me:word@in.example/boxes",
        proxy="http://p.example:1",
        no_proxy=("in.example",),
    )
    routes = Routes(mirrors)
    assert routes.route(vagrant_box._server(routes)).address.url == "https://in.example/boxes"
    assert vagrant_box._by_itself(routes) == {
        "VAGRANT_SERVER_URL": "https://in.example/boxes",
        "http_proxy": "http://p.example:1",
        "https_proxy": "http://p.example:1",
        "no_proxy": "in.example",
    }
