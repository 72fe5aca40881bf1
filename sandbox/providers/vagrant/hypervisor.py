"""The questions that the Vagrant engine asks of VirtualBox and libvirt themselves.

Vagrant creates, starts and stops. The hypervisor's own program answers where Vagrant is slow
(listing), unsure (leftovers of a killed run) or has no answer (who owns a machine).
"""

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sandbox.errors import HostError, ProviderError
from sandbox.events import Listener
from sandbox.images.tools import host_architecture
from sandbox.locks import hold, lock_path
from sandbox.providers.abilities import BaseCopy, Snapshot
from sandbox.providers.engine import MachineSpec
from sandbox.providers.findings import Finding
from sandbox.providers.vagrant.files import VagrantfileHost, VmFolder, VmProvider, VmRecord
from sandbox.providers.vagrant.home import clean_vagrant_home
from sandbox.providers.vagrant.vm import Vm, read_note


class Hypervisor(Protocol):
    """VirtualBox or libvirt. Every call can be repeated."""

    @property
    def provider(self) -> VmProvider:
        """Which of the two it is."""
        ...

    @property
    def prefix(self) -> str:
        """Begins the name of every VM of ours."""
        ...

    @property
    def vagrant_plugin(self) -> str:
        """The plugin that Vagrant needs to drive it; empty when it needs none."""
        ...

    def findings(self) -> tuple[Finding, ...]:
        """Find out whether the hypervisor can be used here."""
        ...

    def vms(self) -> dict[str, Vm]:
        """List all VMs with a name that begins with our prefix, by name; not all may be ours."""
        ...

    def host_facts(self, record: VmRecord, folder: VmFolder) -> VagrantfileHost:
        """Return the Vagrantfile's settings for this host."""
        ...

    def prepare(self, record: VmRecord, folder: VmFolder, listener: Listener) -> None:
        """Make what `vagrant up` needs: the base image in the store, on VirtualBox also the VM.

        Raises:
            ProviderError: with the tool's own words.
        """
        ...

    def adjust(self, record: VmRecord) -> None:
        """Change a stopped VM to match its record, where Vagrant does not."""
        ...

    def power_off(self, vm: Vm) -> None:
        """Switch the VM off by force."""
        ...

    def clear(self, record: VmRecord, vm: Vm | None) -> None:
        """Remove the VM, if any, and everything that was ever made for it."""
        ...

    def base_copies(self) -> tuple[BaseCopy, ...]:
        """List the images that VMs are made from, each with the VMs that depend on it."""
        ...

    def drop_unused_bases(self) -> tuple[str, ...]:
        """Remove images that no VM needs now, and return their names."""
        ...

    def console(self, record: VmRecord, folder: VmFolder) -> str:
        """Read the VM's output on its serial console since it was started."""
        ...

    def resume(self, vm: Vm) -> None:
        """Resume a paused VM."""
        ...

    def save_snapshot(self, vm: Vm, snapshot: str) -> None:
        """Save a snapshot of the VM."""
        ...

    def restore_snapshot(self, vm: Vm, snapshot: str) -> None:
        """Take the VM back to that snapshot, running if it runs now."""
        ...

    def emulates(self, record: VmRecord) -> bool:
        """Tell whether the VM's processor is emulated."""
        ...

    def snapshots(self, vm: Vm) -> tuple[Snapshot, ...]:
        """List the VM's snapshots, the oldest first."""
        ...

    def delete_snapshot(self, vm: Vm, snapshot: str) -> None:
        """Forget a snapshot."""
        ...


def is_our_vm(vm: Vm, record: VmRecord | None) -> bool:
    """Tell whether the VM belongs to that record; without one, whether any `sandbox` made it."""
    return record.uuid == vm.uuid if record is not None else read_note(vm.note) is not None


def refuse_foreign_vm(vm: Vm | None, record: VmRecord | None) -> None:
    """Refuse to touch a VM that is not ours.

    Raises:
        ProviderError: the VM was made by somebody else.
    """
    if vm is not None and not is_our_vm(vm, record):
        raise ProviderError(
            f"there is a VM {vm.name} that this `sandbox` did not make; it is left alone",
            details=f"uuid {vm.uuid}",
            hint="choose another name with --name",
        )


def record_of(vm: Vm, name: str, provider: VmProvider) -> VmRecord:
    """Return the parts of a record that are needed to remove a VM when its folder was lost."""
    return VmRecord(
        provider=provider,
        name=name,
        vm_name=vm.name,
        uuid=vm.uuid,
        image="",
        cpus=1,
        memory_mb=1,
        disk_gb=1,
        authorized_key="",
        ssh_port=1,
    )


def require_same_key(record: VmRecord, spec: MachineSpec) -> None:
    """Refuse to continue with a VM that only opens with a lost key.

    Raises:
        ProviderError: the VM has another key than `spec`.
    """
    if record.authorized_key != spec.authorized_key:
        raise ProviderError(
            f"the login key of {record.name} was lost, and only it opened the machine",
            hint=f"sandbox destroy {record.name}, then sandbox up again",
        )


@contextmanager
def hypervisor_lock(name: str) -> Iterator[None]:
    """Let one of our commands run at a time; the lock ends with the process that holds it."""
    with hold(lock_path(name)):
        yield


@dataclass(frozen=True)
class StoredBox:
    """A base image in Vagrant's own store."""

    name: str
    version: str
    folder: Path

    @property
    def key(self) -> str:
        """12 hex digits: another image, or the same name added again, has another key."""
        stamps = [
            f"{path.name} {path.stat().st_size} {path.stat().st_mtime_ns}"
            for path in sorted(self.folder.iterdir())
            if path.suffix in (".img", ".ovf", ".vmdk", ".vdi")
        ]
        text = "\n".join([self.name, self.version, *stamps])
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def find_stored_box(image: str, provider: VmProvider) -> StoredBox:
    """Find the base image `NAME` or `NAME@VERSION` in Vagrant's store; without one, the newest.

    Raises:
        HostError: it is there, for another architecture than this host's.
        ProviderError: it is not there.
    """
    name, _, wanted = image.partition("@")
    root = clean_vagrant_home() / "boxes" / name.replace("/", "-VAGRANTSLASH-")
    here, found, others = host_architecture(), [], set()
    for folder in (*root.glob(f"*/{provider}"), *root.glob(f"*/*/{provider}")):
        version = folder.relative_to(root).parts[0]
        if not (folder / "metadata.json").is_file() or wanted not in ("", version):
            continue
        architecture = _architecture(folder)
        if architecture in (None, here):
            found.append(StoredBox(name, version, folder))
        else:
            others.add(architecture)
    if found:
        return max(found, key=lambda box: _version_key(box.version))
    if others:
        raise HostError(
            f"the base image {image} is for {', '.join(sorted(others))}, and this host is {here}",
            details="a virtual machine has the architecture of its host",
            hint="choose another base image, or --provider incus",
        )
    raise ProviderError(
        f"Vagrant has no base image {image} for {provider}",
        details=f"looked in {root}",
        hint="vagrant box list; sandbox up makes or fetches it again",
    )


def _architecture(folder: Path) -> str | None:
    """The architecture in a stored box, in Vagrant's words; None when it names none."""
    if folder.parent.name in ("amd64", "arm64"):
        # Vagrant 2.4 uses such a folder when its catalogue knows the architecture
        return folder.parent.name
    try:
        said = json.loads((folder / "metadata.json").read_bytes()).get("architecture")
    except (OSError, ValueError, AttributeError, RecursionError):
        said = None
    return said if said in ("amd64", "arm64") else None


def _version_key(version: str) -> tuple[tuple[int, str], ...]:
    parts = re.split(r"[.+-]", version)
    return tuple((int(part), "") if part.isdigit() else (-1, part) for part in parts)


def require_snapshot(known: tuple[Snapshot, ...], machine: str, snapshot: str) -> None:
    """Refuse to continue without a snapshot of that name.

    Raises:
        ProviderError: there is no such snapshot; the error says which there are.
    """
    names = [one.name for one in known]
    if snapshot not in names:
        raise ProviderError(
            f"{machine} has no snapshot {snapshot}",
            details=f"there is {', '.join(names)}" if names else "it has none",
            hint=f"sandbox snapshot list {machine}",
        )
