"""What makes a disk a Vagrant box for libvirt. Pure."""

from collections.abc import Mapping
from typing import Final

from sandbox.images.disk import DISK_GB
from sandbox.providers.vagrant.box_files import BoxForm


class LibvirtBox:
    """A qcow2 disk, which libvirt needs no more than the size of."""

    provider: Final = "libvirt"
    disk_name = "box.img"
    convert = ("-O", "qcow2", "-c", "-o", "compression_type=zstd")
    """Decompressing costs less than reading the rest would, and the box is copied twice."""
    vagrantfile = 'Vagrant.configure("2") do |config|\n  config.vm.guest = :debian\nend\n'
    metadata: Mapping[str, object] = {"format": "qcow2", "virtual_size": DISK_GB}

    def template(self) -> str:
        """Nothing is filled in."""
        return ""

    def machine_files(self, disk_bytes: int) -> Mapping[str, str]:
        """None: the Vagrantfile of a machine says all that there is to say."""
        del disk_bytes
        return {}


LIBVIRT_BOX: Final[BoxForm] = LibvirtBox()
