"""Engines: what speaks to the providers. Each is imported only when it is asked for."""

from collections.abc import Callable
from pathlib import Path

from sandbox.engines.base import Engine
from sandbox.engines.incus_client import IncusPlace
from sandbox.errors import HostError, SandboxError


def _incus(place: IncusPlace) -> Engine:
    from sandbox.engines.incus import IncusEngine

    return IncusEngine(place)


def _libvirt(place: IncusPlace) -> Engine:
    from sandbox.engines.vagrant_baking import BakingVagrantEngine
    from sandbox.engines.vagrant_libvirt import Libvirt

    return BakingVagrantEngine(Libvirt(place.project))


def _virtualbox(place: IncusPlace) -> Engine:
    from sandbox.engines.vagrant_baking import BakingVagrantEngine
    from sandbox.engines.vagrant_virtualbox import VirtualBox

    return BakingVagrantEngine(VirtualBox(place.project))


ENGINES: dict[str, Callable[[IncusPlace], Engine]] = {
    "incus": _incus,
    "libvirt": _libvirt,
    "virtualbox": _virtualbox,
}
"""Provider to engine. The fake one is not a user's choice: tests make it themselves."""


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
    from sandbox.engines.vagrant_files import VmFolder

    try:
        record = VmFolder(folder).read()
    except SandboxError:
        return None
    return record.provider if record is not None else None
