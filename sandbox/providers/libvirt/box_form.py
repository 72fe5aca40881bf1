"""The form of a disk as a Vagrant box for libvirt. Pure."""

from collections.abc import Mapping
from typing import Final

from sandbox.images.disk import DISK_GB
from sandbox.providers.vagrant.box_files import BoxForm


class LibvirtBox:
    """A qcow2 disk; libvirt only needs to know its size."""

    provider: Final = "libvirt"
    disk_name = "box.img"
    convert = ("-O", "qcow2", "-c", "-o", "compression_type=zstd")
    """Compressed: that costs less than reading the rest would, and the box is copied twice."""
    vagrantfile = 'Vagrant.configure("2") do |config|\n  config.vm.guest = :debian\nend\n'
    metadata: Mapping[str, object] = {"format": "qcow2", "virtual_size": DISK_GB}

    def template(self) -> str:
        """Return nothing: there is nothing to fill in."""
        return ""

    def machine_files(self, disk_bytes: int) -> Mapping[str, str]:
        """Return no files: the Vagrantfile of a machine has all settings."""
        del disk_bytes
        return {}


LIBVIRT_BOX: Final[BoxForm] = LibvirtBox()
