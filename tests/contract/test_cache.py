"""`sandbox cache` on real libvirt: what disks hang on stays, all else goes. Nothing is booted."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandbox.providers.libvirt.baked_images import LibvirtImages
from sandbox.providers.libvirt.domains import URI
from sandbox.providers.libvirt.virsh import Virsh
from sandbox.providers.vagrant.baked_note import Draft
from sandbox.providers.vagrant.box_files import box_files
from tests.box_forms import FORMS
from tests.conftest import Host, virsh

LABELS = (("box", "plain"), ("plan", "0123"))
RECORD = """
<domain type='qemu'><name>{name}</name>
<description>made-by=sandbox-baked key={key} complete=</description>
<memory unit='MiB'>64</memory><os><type>hvm</type></os></domain>
"""
USED_BASE, SPARE_BASE = (
    f"sandbox-VAGRANTSLASH-debian-99-{key * 12}_vagrant_box_image_1.0.0_box.img" for key in "ab"
)
USED, SPARE, HALF = ("Baked-aaaa-000001", "Baked-bbbb-000002", "Baked-cccc-000003")


@dataclass
class Pool:
    """Our pool, with images in it that are as small as can be."""

    host: Host

    @property
    def prefix(self) -> str:
        return self.host.prefix

    def volume(self, name: str, *, on: str = "") -> None:
        backing = ("--backing-vol", on, "--backing-vol-format", "qcow2") if on else ()
        said = virsh("vol-create-as", self.prefix, name, "1M", "--format", "qcow2", *backing)
        assert "error" not in said, said

    def record(self, image: str) -> None:
        """The domain of an unfinished image."""
        path = self.host.home / "record.xml"
        key = image.split("-")[1]
        path.write_text(RECORD.format(name=f"{self.prefix}-{image}", key=key))
        said = virsh("define", str(path))
        assert "error" not in said, said

    @property
    def images(self) -> LibvirtImages:
        return LibvirtImages(Virsh(URI, self.prefix), self.prefix)

    def bake(self, image: str) -> None:
        """A finished one."""
        self.record(image)
        self.volume(f"{self.prefix}-{image}-work.img")
        self.images.finish(Draft(image, image.split("-")[1], LABELS))

    def volumes(self) -> set[str]:
        virsh("pool-refresh", self.prefix)
        return {line.split()[0] for line in virsh("vol-list", self.prefix).splitlines() if line}

    def domains(self) -> set[str]:
        start = f"{self.prefix}-"
        names = virsh("list", "--all", "--name").split()
        return {name.removeprefix(start) for name in names if name.startswith(start)}

    def clear(self) -> None:
        for name in self.domains():
            virsh("undefine", f"{self.prefix}-{name}")
        for name in self.volumes():
            virsh("vol-delete", "--pool", self.prefix, name)


@pytest.fixture
def pool(libvirt_host: Host) -> Iterator[Pool]:
    made = Pool(libvirt_host)
    made.clear()
    yield made
    made.clear()


def test_the_newest_image_of_a_key_comes_first(pool: Pool) -> None:
    made = [f"Baked-aaaa-00000{number}" for number in (2, 3, 1)]
    for image in made:
        pool.bake(image)
    found = pool.images.all()
    assert [one.image for one in found] == made[::-1]
    assert {(one.key, one.complete) for one in found} == {("aaaa", True)}


def put_box(host: Host, key: str) -> Path:
    """A box in Vagrant's store; each is newer than the one before."""
    name = f"sandbox-VAGRANTSLASH-debian-99-{key * 12}"
    folder = Path(host.env["VAGRANT_HOME"]) / "boxes" / name / "1.0.0" / "libvirt"
    folder.mkdir(parents=True)
    for file, text in box_files(FORMS["libvirt"], key=key, disk_bytes=5).items():
        (folder / file).write_text(text)
    (folder / FORMS["libvirt"].disk_name).write_bytes(b"12345")
    return folder


def cache(host: Host, *words: str) -> dict[str, tuple[str, list[str]]]:
    """Kind and users of each image at libvirt that the command names."""
    said = json.loads(host.sandbox("cache", *words, "--json").stdout)
    # Other tests of the same run have a base image of a release that there is
    ours = (one for one in said if one["provider"] == "libvirt" and "debian-12" not in one["image"])
    return {one["image"]: (one["kind"], one["machines"]) for one in ours}


def test_what_disks_hang_on_stays_and_all_else_goes(pool: Pool) -> None:
    host, prefix = pool.host, pool.prefix
    for base in (USED_BASE, SPARE_BASE):
        pool.volume(base)
    pool.volume(f"{prefix}-one.img", on=USED_BASE)
    for image in (USED, SPARE):
        pool.bake(image)
    pool.volume(f"{prefix}-two.img", on=f"{prefix}-{USED}.img")
    pool.record(HALF)
    old_box, new_box = put_box(host, "a"), put_box(host, "b")
    old, new = (f"sandbox/debian-99-{key * 12}@1.0.0" for key in "ab")

    free: dict[str, tuple[str, list[str]]] = {
        SPARE: ("baked", []),
        HALF: ("baked", []),
        SPARE_BASE: ("copy", []),
        old: ("base", []),
    }
    taken = {USED: ("baked", ["two"]), USED_BASE: ("copy", ["one"]), new: ("base", [])}
    everything = pool.volumes()
    assert cache(host, "list") == {**free, **taken}
    assert cache(host, "prune", "--dry-run") == free
    assert pool.volumes() == everything
    assert pool.domains() == {USED, SPARE, HALF}
    # Young as they are, only leftovers may go
    young = cache(host, "prune", "--older-than", "1d", "--dry-run")
    assert set(young) == {HALF, SPARE_BASE}
    assert set(cache(host, "prune", "--keep-last", "9", "--dry-run")) == {HALF, SPARE_BASE}

    assert cache(host, "prune") == free
    assert cache(host, "list") == taken
    assert pool.domains() == {USED}
    assert pool.volumes() == {
        f"{prefix}-one.img",
        f"{prefix}-two.img",
        f"{prefix}-{USED}.img",
        USED_BASE,
    }
    assert not old_box.exists()
    assert (new_box / "metadata.json").exists()
    assert cache(host, "prune") == {}

    for name in ("one", "two"):
        virsh("vol-delete", "--pool", prefix, f"{prefix}-{name}.img")
    assert set(cache(host, "prune")) == {USED, USED_BASE}
    assert pool.volumes() == set()
    assert pool.domains() == set()
