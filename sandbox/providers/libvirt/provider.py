"""libvirt, as the rest of the program knows it."""

import os
from typing import TYPE_CHECKING, Final

from sandbox.events import Listener
from sandbox.providers.engine import Engine, MachineStatus
from sandbox.providers.findings import HostReport
from sandbox.providers.place import Place
from sandbox.providers.provider import Confirm, Provider
from sandbox.providers.vagrant.provider import VagrantProvider

if TYPE_CHECKING:
    from sandbox.host.setup import Keep, SetupOutcome, SetupWishes
    from sandbox.plan import HostLimits
    from sandbox.providers.vagrant.box_files import BoxForm


class LibvirtProvider(VagrantProvider):
    """libvirt with QEMU."""

    name = "libvirt"
    title = "libvirt"
    linux_only = True
    setup_wishes: frozenset[str] = frozenset()
    """False: its pool is a folder, and no network is made."""

    def box_form(self) -> "BoxForm":
        """Return the form of a disk as a box for libvirt."""
        from sandbox.providers.libvirt.box_form import LIBVIRT_BOX

        return LIBVIRT_BOX

    def make_engine(self, place: Place) -> Engine:
        """Make the engine that drives Vagrant, over libvirt's own virsh."""
        from sandbox.providers.libvirt.hypervisor import Libvirt
        from sandbox.providers.vagrant.baking import BakingVagrantEngine

        return BakingVagrantEngine(Libvirt(place.prefix))

    def statuses(self, place: Place) -> dict[str, MachineStatus]:
        """List the domains with our prefix, from virsh alone."""
        from sandbox.providers.libvirt.domains import URI, list_domains
        from sandbox.providers.libvirt.virsh import Virsh
        from sandbox.providers.vagrant.vm import statuses

        prefix = place.prefix
        return statuses(list_domains(Virsh(URI, prefix), prefix), prefix)

    def report(self, place: Place) -> HostReport:
        """Report the findings about libvirt, QEMU and Vagrant."""
        from sandbox.host.facts import gather_host
        from sandbox.providers.libvirt.doctor import gather_libvirt, libvirt_report
        from sandbox.providers.libvirt.host_setup import LibvirtPlace

        return libvirt_report(gather_libvirt(), gather_host(), LibvirtPlace(place.prefix).pool)

    def limits(self, place: Place) -> "HostLimits":
        """Measure this host's processors and memory, and the free space for libvirt's disks."""
        from sandbox.host.facts import free_gb
        from sandbox.plan import HostLimits
        from sandbox.providers.libvirt.doctor import POOLS_DIR
        from sandbox.providers.vagrant.host_check import memory_mb

        del place
        free = int(free_gb(POOLS_DIR))
        cpus = len(os.sched_getaffinity(0))
        return HostLimits(cpus=cpus, memory_mb=memory_mb(), free_disk_gb=free)

    def set_up_host(
        self, place: Place, wishes: "SetupWishes", *, confirm: Confirm, listener: Listener
    ) -> "SetupOutcome":
        """Install what is missing, and make a storage pool.

        Raises:
            HostError: the host cannot be made ready; says why and what to do.
        """
        from sandbox.providers.libvirt.host_setup import LibvirtPlace, host_setup

        del wishes
        return host_setup(LibvirtPlace(place.prefix), confirm=confirm, listener=listener)

    def take_back_host(
        self, place: Place, keep: "Keep", *, confirm: Confirm, sure: bool, listener: Listener
    ) -> "SetupOutcome":
        """Remove sandboxes, images, the pool, and what was installed, as far as `keep` says.

        Raises:
            UsageError: sandboxes still exist, and the user is not `sure`.
            HostError: something cannot be taken back.
            ProviderError: libvirt refused something.
        """
        from sandbox.providers.libvirt.host_setup import LibvirtPlace
        from sandbox.providers.libvirt.host_teardown import host_teardown

        return host_teardown(
            LibvirtPlace(place.prefix),
            engine=self.make_engine(place),
            confirm=confirm,
            sure=sure,
            listener=listener,
            keep=keep,
        )

    def advice_after_setup(self) -> tuple[str, ...]:
        """Say how a person who was put into the group can use it at once."""
        from sandbox.host.groups import has_group_now, is_member, login_advice
        from sandbox.host.privilege import invoking_user
        from sandbox.providers.libvirt.doctor import GROUP

        user = invoking_user()
        member = user is not None and is_member(user, GROUP)
        return login_advice(user, GROUP, member=member, now=has_group_now(GROUP))


PROVIDER: Final[Provider] = LibvirtProvider()
