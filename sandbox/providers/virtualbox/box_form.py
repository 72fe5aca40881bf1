"""The form of a disk as a Vagrant box for VirtualBox. Pure, except that it reads our template."""

from collections.abc import Mapping
from typing import Final

from sandbox.images.disk import DISK_GB
from sandbox.paths import data_dir
from sandbox.providers.vagrant.box_files import BoxForm

BASE_MAC = "0800275AB0C5"
"""The address of the first network card; each VirtualBox machine has its own NAT network."""


class VirtualBoxBox:
    """A disk, and the machine around it as VirtualBox imports it."""

    provider: Final = "virtualbox"
    disk_name = "box.vmdk"
    convert = ("-O", "vmdk", "-o", "subformat=streamOptimized")
    """The one format that every VirtualBox imports."""
    vagrantfile = (
        'Vagrant.configure("2") do |config|\n'
        "  config.vm.guest = :debian\n"
        f'  config.vm.base_mac = "{BASE_MAC}"\n'
        "end\n"
    )
    metadata: Mapping[str, object] = {}

    def template(self) -> str:
        """Return the description of the machine, before the disk's size is known."""
        return (data_dir("templates") / "box.ovf").read_text(encoding="utf-8")

    def machine_files(self, disk_bytes: int) -> Mapping[str, str]:
        """Describe the machine in `box.ovf`: a SATA disk, a network card behind NAT, no sound."""
        text = self.template().replace("@CAPACITY@", str(DISK_GB * 1024**3))
        text = text.replace("@SIZE@", str(disk_bytes)).replace("@MAC@", BASE_MAC)
        return {"box.ovf": text}


VIRTUALBOX_BOX: Final[BoxForm] = VirtualBoxBox()
