"""libvirt itself, through virsh: domains, base volumes, leftovers, the console, snapshots."""

import re
import shutil
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from sandbox.errors import HostError, ProviderError, SandboxError
from sandbox.events import Listener, StepOutput
from sandbox.providers.abilities import BaseCopy, Snapshot
from sandbox.providers.engine import Power
from sandbox.providers.findings import Finding
from sandbox.providers.libvirt.accelerator import accelerator, kvm_finding
from sandbox.providers.libvirt.baked_images import LibvirtImages, volume_bytes
from sandbox.providers.libvirt.domains import URI, list_domains
from sandbox.providers.libvirt.virsh import COPY_S, SETUP, Virsh
from sandbox.providers.sealing import is_baked_name
from sandbox.providers.vagrant.files import (
    VagrantfileHost,
    VmFolder,
    VmProvider,
    VmRecord,
    netdev,
    render_domain,
)
from sandbox.providers.vagrant.hypervisor import StoredBox, find_stored_box, hypervisor_lock
from sandbox.providers.vagrant.vm import Vm
from sandbox.saved import BrokenFileError, read_json

_BASE_MARK: Final = "_vagrant_box_image_"


class Libvirt:
    """The hypervisor's side of the provider libvirt."""

    provider: VmProvider = "libvirt"
    vagrant_plugin = "vagrant-libvirt"

    def __init__(self, prefix: str, *, uri: str = URI, pool: str | None = None) -> None:
        self.prefix = prefix
        self.uri = uri
        # A pool of our own: all that is in it is ours, and is removed with it
        self.pool = pool or prefix
        self.virsh = Virsh(uri, self.pool)
        self.images = LibvirtImages(self.virsh, prefix)

    def findings(self) -> tuple[Finding, ...]:
        """Find out whether libvirt answers, and what runs the guests."""
        title = "libvirt answers"
        try:
            said = self.virsh("version").stdout
        except SandboxError as error:
            detail = error.details or error.message
            return (Finding(ok=False, title=title, detail=detail, fix=error.hint or SETUP),)
        hypervisor = re.search(r"Running hypervisor: (.+)", said)
        answers = Finding(ok=True, title=title, detail=hypervisor[1] if hypervisor else self.uri)
        return (answers, kvm_finding(accelerator()))

    def vms(self) -> dict[str, Vm]:
        """List all domains with a name that begins with our prefix."""
        return list_domains(self.virsh, self.prefix)

    def host_facts(self, record: VmRecord, folder: VmFolder) -> VagrantfileHost:
        """Return the Vagrantfile's settings for this host."""
        del folder
        driver = _driver(record)
        return VagrantfileHost(
            prefix=self.prefix,
            console_path=self._console_path(record),
            driver=driver,
            libvirt_uri=self.uri,
            pool=self.pool,
            slow=driver == "qemu",
        )

    def emulates(self, record: VmRecord) -> bool:
        """Tell whether QEMU itself is the VM's processor."""
        return _driver(record) == "qemu"

    def prepare(self, record: VmRecord, folder: VmFolder, listener: Listener) -> None:
        """Put the whole base image into the pool; then make the VM's own disk, and the VM."""
        _refuse_emulated_host(record)
        baked = is_baked_name(record.image)
        box = None if baked else find_stored_box(record.image, self.provider)
        with hypervisor_lock("libvirt"):
            self.virsh.ensure_pool()
            if box is None:
                base = self.images.require(record.image)
            else:
                base = self._ensure_base_volume(box, record, listener)
            # Still under the lock: `destroy` or `prune` may remove an image that nothing depends on
            name, size = f"{record.vm_name}.img", f"{record.disk_gb}G"
            backing = ("--backing-vol", base, "--backing-vol-format", "qcow2")
            self.virsh("vol-create-as", self.pool, name, size, "--format", "qcow2", *backing)
        facts = self.host_facts(record, folder)
        self.virsh.define(render_domain(record, facts, self.virsh.pool_path() / name))

    def adjust(self, record: VmRecord) -> None:
        """Let QEMU forward the ports that the record names; Vagrant sets them only at creation."""
        xml = self.virsh("dumpxml", "--inactive", "--security-info", record.uuid).stdout
        changed = re.sub(r"user,id=sandbox[^'\"]*", netdev(record), xml)
        if changed != xml:
            self.virsh.define(changed)

    def power_off(self, vm: Vm) -> None:
        """Switch the machine off by force."""
        self.virsh.tolerant("destroy", vm.uuid, but=r"domain is not running|no domain")

    def resume(self, vm: Vm) -> None:
        """Let a paused domain go on."""
        self.virsh("resume", vm.uuid)

    def clear(self, record: VmRecord, vm: Vm | None) -> None:
        """Remove the domain, its volume and its console's file."""
        if vm is not None:
            self.power_off(vm)
            flags = ("--managed-save", "--snapshots-metadata", "--nvram")
            self.virsh.tolerant("undefine", vm.uuid, *flags, but=r"no domain")
        if not self.virsh.has_pool():
            return
        self.virsh.refresh_pool()
        names = {f"{record.vm_name}.img", self._console_path(record).name}
        for name in self.virsh.volumes() & names:
            self.virsh.delete_volume(name)

    def base_copies(self) -> tuple[BaseCopy, ...]:
        """List the base images in our pool."""
        if shutil.which("virsh") is None:
            # Nobody has ever made one here, and this is asked on every host
            return ()
        volumes = self.virsh.volumes() if self.virsh.has_pool() else set()
        known = self.virsh.volume_xml(sorted(volumes))
        # A disk that depends on it names its file; so does the image itself
        return tuple(
            BaseCopy(
                name,
                volume_bytes(known[name]),
                tuple(
                    other.removeprefix(f"{self.prefix}-").removesuffix(".img")
                    for other, xml in known.items()
                    if other != name and f"/{name}<" in xml
                ),
            )
            for name in known
            if _BASE_MARK in name
        )

    def drop_unused_bases(self) -> tuple[str, ...]:
        """Remove base images from the pool on which no disk depends."""
        with hypervisor_lock("libvirt"):
            unused = tuple(copy.name for copy in self.base_copies() if not copy.machines)
            for name in unused:
                self.virsh.delete_volume(name)
        return unused

    def console(self, record: VmRecord, folder: VmFolder) -> str:
        """Read the console's file: it is libvirt's, which reads it for us where we may not."""
        path = self._console_path(record)
        try:
            return path.read_text(errors="replace", encoding="utf-8")
        except FileNotFoundError:
            return ""
        except PermissionError:
            copy = folder.path / "console.log"
            self.virsh.refresh_pool()
            self.virsh("vol-download", "--pool", self.pool, path.name, str(copy))
            return copy.read_text(errors="replace", encoding="utf-8")

    def save_snapshot(self, vm: Vm, snapshot: str) -> None:
        """Keep the disk and, of a running machine, its memory."""
        self.virsh("snapshot-create-as", vm.uuid, snapshot, "--atomic", timeout_s=COPY_S)

    def restore_snapshot(self, vm: Vm, snapshot: str) -> None:
        """Restore a snapshot; a domain that was stopped is stopped again."""
        running = vm.power is Power.RUNNING
        flags = ("--force", *(("--running",) if running else ()))
        self.virsh("snapshot-revert", vm.uuid, snapshot, *flags, timeout_s=COPY_S)
        if not running:
            self.power_off(vm)

    def snapshots(self, vm: Vm) -> tuple[Snapshot, ...]:
        """List the VM's snapshots, the oldest first."""
        said = self.virsh("snapshot-list", vm.uuid).stdout
        pattern = r"^\s*(\S+)\s+(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4})\s"
        found = [
            Snapshot(one[1], datetime.strptime(one[2], "%Y-%m-%d %H:%M:%S %z"))
            for one in re.finditer(pattern, said, re.MULTILINE)
        ]
        return tuple(sorted(found, key=lambda one: one.created_at))

    def delete_snapshot(self, vm: Vm, snapshot: str) -> None:
        """Forget a snapshot."""
        self.virsh("snapshot-delete", vm.uuid, snapshot, timeout_s=COPY_S)

    def _console_path(self, record: VmRecord) -> Path:
        # In the pool, so that libvirt reads it for a user who may not open its files
        return self.virsh.pool_path() / f"{record.vm_name}-console.log"

    def _ensure_base_volume(self, box: StoredBox, record: VmRecord, listener: Listener) -> str:
        """Copy the base image into the pool: Vagrant trusts even half a volume of that name."""
        disk, size_gb = _disk_of(box.folder / "metadata.json")
        image = box.folder / disk
        name = base_volume_name(box, image)
        size = image.stat().st_size
        if name in self.virsh.volumes():
            if self._volume_bytes(name) >= size:
                return name
            self.virsh("vol-delete", "--pool", self.pool, name)
        listener(StepOutput(record.name, f"copying the base image {box.name} to {self.pool}"))
        capacity = f"{size_gb}G"
        flags = ("--format", "qcow2", "--allocation", "0")
        self.virsh("vol-create-as", self.pool, name, capacity, *flags)
        self.virsh("vol-upload", "--pool", self.pool, name, str(image), timeout_s=COPY_S)
        return name

    def _volume_bytes(self, name: str) -> int:
        said = self.virsh("vol-dumpxml", "--pool", self.pool, name).stdout
        found = re.search(r"<physical unit='bytes'>(\d+)</physical>", said)
        return int(found[1]) if found else 0


def base_volume_name(box: StoredBox, image: Path) -> str:
    """Return the name by which vagrant-libvirt, too, looks for the base image."""
    version = box.version
    if version in ("", "0"):
        version = f"0_{int(image.stat().st_mtime)}"
    name = box.name.replace("/", "-VAGRANTSLASH-")
    return f"{name}{_BASE_MARK}{version}_{image.stem}.img"


def _driver(record: VmRecord) -> Literal["kvm", "qemu"]:
    return record.libvirt.driver or accelerator().kind


def _refuse_emulated_host(record: VmRecord) -> None:
    """The emulation shows a processor of its own, or one by name, whatever libvirt is asked for.

    Raises:
        HostError: the box asks for this host's processor, and there is only emulation.
    """
    mode = record.libvirt.cpu_mode
    if mode in (None, "custom") or _driver(record) != "qemu":
        return
    raise HostError(
        f"providers.libvirt.cpu_mode: {mode} cannot be had on this host",
        details=f"{accelerator().reason}; QEMU emulates a processor, and it is not this host's",
        hint="take it out of the box, or name a processor: cpu_mode: custom, cpu_model: Haswell",
    )


def _disk_of(path: Path) -> tuple[str, int]:
    """The first disk of a stored box, and its size in GB.

    Raises:
        ProviderError: the box's description is broken.
    """
    try:
        metadata = read_json(path) or {}
        disks = metadata.get("disks") or [{"path": "box.img"}]
        return str(disks[0]["path"]), int(metadata.get("virtual_size", 1))
    except (BrokenFileError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ProviderError(
            f"the stored box {path.parent} is broken",
            details=str(error),
            hint="vagrant box list; vagrant box remove NAME, then sandbox up again",
        ) from error
