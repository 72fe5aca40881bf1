"""VirtualBox, for the rest of the program. Its maker installs it, not `host setup`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sandbox.providers.engine import Engine, MachineStatus
from sandbox.providers.findings import HostReport
from sandbox.providers.place import Place
from sandbox.providers.provider import Provider
from sandbox.providers.vagrant.provider import VagrantProvider

if TYPE_CHECKING:
    from sandbox.plan import HostLimits
    from sandbox.providers.vagrant.box_files import BoxForm


class VirtualBoxProvider(VagrantProvider):
    """VirtualBox."""

    name = "virtualbox"
    title = "VirtualBox"
    linux_only = False

    def box_form(self) -> "BoxForm":
        """Return the form of a disk as a box for VirtualBox."""
        from sandbox.providers.virtualbox.box_form import VIRTUALBOX_BOX

        return VIRTUALBOX_BOX

    def make_engine(self, place: Place) -> Engine:
        """Make the engine that drives Vagrant, over VirtualBox's own VBoxManage."""
        from sandbox.providers.vagrant.baking import BakingVagrantEngine
        from sandbox.providers.virtualbox.hypervisor import VirtualBox

        return BakingVagrantEngine(VirtualBox(place.prefix))

    def statuses(self, place: Place) -> dict[str, MachineStatus]:
        """List the VMs with our prefix, from VBoxManage alone."""
        from sandbox.providers.vagrant.vm import statuses
        from sandbox.providers.virtualbox.vboxmanage import VBoxManage
        from sandbox.providers.virtualbox.vms import list_vms

        return statuses(list_vms(VBoxManage(), place.prefix), place.prefix)

    def report(self, place: Place) -> HostReport:
        """Report the findings about VirtualBox and Vagrant."""
        from sandbox.providers.virtualbox import installation
        from sandbox.providers.virtualbox.doctor import virtualbox_report

        del place
        return virtualbox_report(installation.gather_virtualbox())

    def limits(self, place: Place) -> "HostLimits":
        """Measure this host's processors, memory and disk; asks only what every system answers."""
        from sandbox.host.facts import free_gb
        from sandbox.plan import HostLimits
        from sandbox.providers.vagrant.host_check import memory_mb

        del place
        free = int(free_gb(Path.home()))
        return HostLimits(cpus=os.cpu_count() or 1, memory_mb=memory_mb(), free_disk_gb=free)


PROVIDER: Final[Provider] = VirtualBoxProvider()
