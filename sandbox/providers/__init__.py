"""Engines: what speaks to the providers. Each is imported only when it is asked for."""

from collections.abc import Callable
from pathlib import Path

from sandbox.errors import HostError
from sandbox.providers.engine import Engine, MachineStatus
from sandbox.providers.incus.place import IncusPlace
from sandbox.saved import BrokenFileError, read_json


def _incus(place: IncusPlace) -> Engine:
    from sandbox.providers.incus.engine import IncusEngine

    return IncusEngine(place)


def _libvirt(place: IncusPlace) -> Engine:
    from sandbox.providers.libvirt.hypervisor import Libvirt
    from sandbox.providers.vagrant.baking import BakingVagrantEngine

    return BakingVagrantEngine(Libvirt(place.project))


def _virtualbox(place: IncusPlace) -> Engine:
    from sandbox.providers.vagrant.baking import BakingVagrantEngine
    from sandbox.providers.virtualbox.hypervisor import VirtualBox

    return BakingVagrantEngine(VirtualBox(place.project))


ENGINES: dict[str, Callable[[IncusPlace], Engine]] = {
    "incus": _incus,
    "libvirt": _libvirt,
    "virtualbox": _virtualbox,
}
"""Provider to engine. The fake one is not a user's choice: tests make it themselves."""


def _libvirt_statuses(place: IncusPlace) -> dict[str, MachineStatus]:
    from sandbox.providers.libvirt.domains import URI, list_vms
    from sandbox.providers.libvirt.virsh import Virsh
    from sandbox.providers.vagrant.vm import statuses

    prefix = place.project
    return statuses(list_vms(Virsh(URI, prefix), prefix), prefix)


def _virtualbox_statuses(place: IncusPlace) -> dict[str, MachineStatus]:
    from sandbox.providers.vagrant.vm import statuses
    from sandbox.providers.virtualbox.vboxmanage import VBoxManage
    from sandbox.providers.virtualbox.vms import list_vms

    return statuses(list_vms(VBoxManage(), place.project), place.project)


LISTINGS: dict[str, Callable[[IncusPlace], dict[str, MachineStatus]]] = {
    "libvirt": _libvirt_statuses,
    "virtualbox": _virtualbox_statuses,
}
"""Our machines at providers whose engine takes longer to load than to answer."""


def make_engine(provider: str, place: IncusPlace) -> Engine:
    """The engine that drives `provider`.

    Raises:
        HostError: there is none for it.
    """
    if provider not in ENGINES:
        raise HostError(
            f"this version of sandbox cannot drive {provider}",
            hint=f"use --provider {next(iter(ENGINES))}",
        )
    return ENGINES[provider](place)


def vm_provider(folder: Path) -> str | None:
    """Which of the providers of VMs made the machine of an instance's folder; None: neither."""
    try:
        saved = read_json(folder / "machine.json")
    except BrokenFileError:
        return None
    provider = saved.get("provider") if isinstance(saved, dict) else None
    return provider if provider in LISTINGS else None
