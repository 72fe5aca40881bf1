"""The files of a Vagrant box around its disk, and the catalogue that names it. Pure.

`metadata.json` also says which files the box has and how large they are: Vagrant moves them into
its store one by one, and a box that was cut off there must not be taken for a whole one.
"""

import json
from collections.abc import Mapping
from typing import Literal

from sandbox.images.disk import DISK_GB
from sandbox.images.vm_recipe import GRUB_CONFIG, MKE2FS_CONF
from sandbox.paths import data_dir

VmProvider = Literal["libvirt", "virtualbox"]

VERSION = "1.0.0"
"""Of every box of ours: what it is made of is in its name."""

BASE_MAC = "0800275AB0C5"
"""Of the first network card; each VirtualBox machine has a NAT network to itself."""

DISK_NAMES: dict[VmProvider, str] = {"libvirt": "box.img", "virtualbox": "box.vmdk"}
CONVERT: dict[VmProvider, tuple[str, ...]] = {
    # Decompressing costs less than reading the rest would, and the box is copied twice
    "libvirt": ("-O", "qcow2", "-c", "-o", "compression_type=zstd"),
    # The one format that every VirtualBox imports
    "virtualbox": ("-O", "vmdk", "-o", "subformat=streamOptimized"),
}

_VAGRANTFILES: dict[VmProvider, str] = {
    "libvirt": 'Vagrant.configure("2") do |config|\n  config.vm.guest = :debian\nend\n',
    "virtualbox": (
        'Vagrant.configure("2") do |config|\n'
        "  config.vm.guest = :debian\n"
        f'  config.vm.base_mac = "{BASE_MAC}"\n'
        "end\n"
    ),
}


def wrapping(provider: VmProvider) -> str:
    """All text of ours around the root, for the image's key."""
    parts = [GRUB_CONFIG, MKE2FS_CONF, str(DISK_GB)]
    parts += [_VAGRANTFILES[provider], " ".join(CONVERT[provider]), VERSION]
    return "\n".join([*parts, _ovf_template()] if provider == "virtualbox" else parts)


def box_files(provider: VmProvider, *, key: str, disk_bytes: int) -> Mapping[str, str]:
    """Name and text of each file of the box but the disk itself; `metadata.json` comes last."""
    files = {"Vagrantfile": _VAGRANTFILES[provider]}
    if provider == "virtualbox":
        files["box.ovf"] = ovf(disk_bytes)
    sizes = {name: len(text.encode()) for name, text in files.items()}
    metadata: dict[str, object] = {
        "provider": provider,
        "architecture": "amd64",
        "sandbox": {"key": key, "files": {**sizes, DISK_NAMES[provider]: disk_bytes}},
    }
    if provider == "libvirt":
        metadata |= {"format": "qcow2", "virtual_size": DISK_GB}
    return {**files, "metadata.json": json.dumps(metadata, indent=1) + "\n"}


def ovf(disk_bytes: int) -> str:
    """The machine as VirtualBox imports it: a SATA disk, a network card behind NAT, no sound."""
    text = _ovf_template().replace("@CAPACITY@", str(DISK_GB * 1024**3))
    return text.replace("@SIZE@", str(disk_bytes)).replace("@MAC@", BASE_MAC)


def catalogue(
    name: str,
    version: str,
    provider: VmProvider,
    url: str,
    *,
    sha256: str | None = None,
    architecture: str = "amd64",
) -> str:
    """What `vagrant box add` reads to learn of one box, at one version, and its checksum."""
    where: dict[str, object] = {
        "name": provider,
        "url": url,
        # Vagrant 2.4 goes by these two, earlier ones know of no architectures
        "architecture": architecture,
        "default_architecture": True,
    }
    if sha256 is not None:
        where |= {"checksum_type": "sha256", "checksum": sha256}
    versions = [{"version": version, "status": "active", "providers": [where]}]
    return json.dumps({"name": name, "versions": versions}, indent=1) + "\n"


def _ovf_template() -> str:
    return (data_dir("templates") / "box.ovf").read_text(encoding="utf-8")
