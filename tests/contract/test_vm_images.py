"""The base image of virtual machines, built for real and read offline: what must not be in it."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandbox.events import ignore
from sandbox.images.package_index import available_packages
from sandbox.providers.vagrant.base_box import VagrantBox, box_root, ensure_vagrant_box
from sandbox.providers.vagrant.files import BOX_USER, INSECURE_KEY
from tests.box_forms import FORMS
from tests.conftest import Host
from tests.contract.conftest import read_base
from tests.contract.vm_disk import RawDisk

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class BuiltBox(RawDisk):
    """The disk of the box in Vagrant's store."""

    box: VagrantBox


@pytest.fixture(scope="module", params=["debian-12", "debian-13"])
def built(
    libvirt_host: Host, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BuiltBox]:
    """Built where the tests' VMs find it, too: it is made once."""
    folder = tmp_path_factory.mktemp("vm-image")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("VAGRANT_HOME", "XDG_CACHE_HOME"):
            patch.setenv(name, libvirt_host.env[name])
        box = ensure_vagrant_box(
            read_base(request.param),
            form=FORMS["libvirt"],
            source="build",
            mirror=None,
            listener=ignore,
        )
        (image,) = box_root(box.name).rglob("box.img")
        yield BuiltBox(RawDisk.of(image, folder / "disk.raw").path, box)
    shutil.rmtree(folder)


def test_it_is_found_again_and_knows_its_packages(built: BuiltBox) -> None:
    assert built.box.name.startswith("sandbox/debian-1")
    packages = available_packages(built.box)
    assert packages is not None
    assert {"r-base-core", "shiny-server"} <= packages


def test_nothing_that_two_machines_must_not_share(built: BuiltBox) -> None:
    assert "machine-id" in built.names("/etc")
    assert built.read("/etc/machine-id") == ""
    assert not [name for name in built.names("/etc/ssh") if name.startswith("ssh_host_")]
    for folder, name in (
        ("/etc", "hostname"),
        ("/var/lib/dbus", "machine-id"),
        ("/var/lib/systemd", "random-seed"),
        ("/var/lib/systemd", "credential.secret"),
        ("/etc", "shadow-"),
        ("/root", ".bash_history"),
        ("/root/.ssh", "authorized_keys"),
    ):
        assert name not in built.names(folder), f"{folder}/{name}"


def test_nobody_has_a_password_and_one_known_key_opens_it(built: BuiltBox) -> None:
    passwords = [line.split(":")[1] for line in built.read("/etc/shadow").splitlines()]
    assert passwords
    assert all(password[:1] in ("!", "*") for password in passwords)
    # The first `vagrant up` takes it out, and the checks of a sandbox look whether it did
    assert built.read(f"/home/{BOX_USER}/.ssh/authorized_keys").strip() == INSECURE_KEY
    assert "PasswordAuthentication no" in built.read("/etc/ssh/sshd_config.d/00-sandbox.conf")


def test_nothing_of_the_host_that_built_it(built: BuiltBox) -> None:
    assert built.read("/etc/resolv.conf") == ""
    assert "99mmdebstrap" not in built.names("/etc/apt/apt.conf.d")
    assert "99mmdebstrap" not in built.names("/etc/dpkg/dpkg.cfg.d")
    assert built.names("/tmp") == set()
    assert built.names("/var/lib/apt/lists") <= {"lock", "partial"}
    assert built.names("/var/cache/apt") <= {"archives"}
    hostname = Path("/proc/sys/kernel/hostname").read_text(encoding="utf-8").strip()
    assert len(hostname) < 4 or hostname not in built.read("/etc/hosts")


def test_it_can_boot_where_it_is_meant_to(built: BuiltBox) -> None:
    assert 'Fast link dest: "boot/vmlinuz-' in built.ask("stat /vmlinuz")
    assert 'Fast link dest: "boot/initrd.img-' in built.ask("stat /initrd.img")
    (kernel,) = built.names("/usr/lib/modules")
    drivers = f"/usr/lib/modules/{kernel}/kernel"
    # VirtualBox's disk controller and its synced folders; libvirt's disk
    for module, folder in (
        ("ahci.ko", "drivers/ata"),
        ("vboxsf.ko", "fs/vboxsf"),
        ("virtio_blk.ko", "drivers/block"),
    ):
        # Debian 13 compresses them
        assert {module, f"{module}.xz"} & built.names(f"{drivers}/{folder}"), module
    assert built.names(f"{drivers}/drivers/gpu") == set()
    # What lets the root file system grow to the disk
    assert {"sfdisk", "resize2fs"} <= built.names("/usr/sbin") | built.names("/sbin")
    assert "partx" in built.names("/usr/bin")
    assert "allow-hotplug eth0" in built.read("/etc/network/interfaces")
