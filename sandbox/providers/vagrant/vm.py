"""A VM as its hypervisor lists it, and the note that names its owner.

A listing of sandboxes needs only this part of an engine, and none of its models.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from sandbox.paths import instances_dir
from sandbox.providers.engine import MachineStatus, Power
from sandbox.saved import BrokenFileError, read_json, text_of

MADE_BY: Final = "made-by=sandbox"
"""The first word of the note of every VM of ours."""


@dataclass(frozen=True)
class Vm:
    """One VM as its hypervisor lists it."""

    name: str
    uuid: str
    power: Power
    detail: str
    note: str = ""
    """`VmRecord.owner_note` of the time when the VM was made; empty when it has none."""


def read_note(note: str) -> dict[str, str] | None:
    """Read the labels in a VM's note; None when it was not made by `sandbox`."""
    words = note.split()
    if MADE_BY not in words:
        return None
    pairs = (word.partition("=") for word in words if word != MADE_BY)
    return {unquote(key): unquote(value) for key, _, value in pairs}


def statuses(vms: Mapping[str, Vm], prefix: str) -> dict[str, MachineStatus]:
    """List our machines among the VMs, in the form of `Engine.status`, for a listing.

    It does not say whether a processor is emulated: nobody who lists machines waits for one.
    """
    found = {}
    for vm in vms.values():
        name = vm.name.removeprefix(f"{prefix}-")
        if (status := _status(name, vm, instances_dir() / name)) is not None:
            found[name] = status
    return dict(sorted(found.items()))


def maker_of(folder: Path) -> str | None:
    """Read which provider made the VM of an instance's folder; None where its record is silent."""
    try:
        saved = read_json(folder / "machine.json")
    except BrokenFileError:
        return None
    provider = saved.get("provider") if isinstance(saved, dict) else None
    return provider if isinstance(provider, str) else None


def _status(name: str, vm: Vm, folder: Path) -> MachineStatus | None:
    """The status of a VM; None when it is not ours. With a damaged record, the VM's note counts."""
    note = read_note(vm.note)
    labels = tuple((note or {}).items())
    forwarded: tuple[tuple[int, int], ...] = ()
    is_ours = note is not None
    try:
        saved = read_json(folder / "machine.json")
        if saved is not None:
            is_ours = text_of(saved["uuid"]) == vm.uuid
            labels = tuple((text_of(key), text_of(value)) for key, value in saved["labels"])
            forwarded = tuple((int(guest), int(host)) for guest, host in saved["forwarded"])
    except (BrokenFileError, KeyError, TypeError, ValueError):
        is_ours = note is not None
    if not is_ours:
        return None
    return MachineStatus(
        name=name,
        power=vm.power,
        detail=vm.detail,
        labels=tuple(sorted(labels)),
        forwarded=forwarded if vm.power is Power.RUNNING else (),
    )
