"""VirtualBox itself, through VBoxManage: VMs, clones, leftovers, the console, snapshots.

The VM is cloned here, with a name and an id chosen before, and started by Vagrant. Vagrant's own
import gives a VM a random name first, and a run killed then leaves a VM that belongs to nobody.
"""

import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

from sandbox.errors import ProviderError
from sandbox.events import Listener, Notice, StepOutput
from sandbox.files import private_folder, write_whole
from sandbox.providers.abilities import BaseCopy, Snapshot
from sandbox.providers.engine import Power
from sandbox.providers.findings import Finding
from sandbox.providers.sealing import is_baked_name
from sandbox.providers.vagrant.files import VagrantfileHost, VmFolder, VmProvider, VmRecord
from sandbox.providers.vagrant.hypervisor import StoredBox, find_stored_box, hypervisor_lock
from sandbox.providers.vagrant.vm import Vm
from sandbox.providers.virtualbox import installation as virtualbox_look
from sandbox.providers.virtualbox.baked_images import VirtualBoxImages
from sandbox.providers.virtualbox.disks import bytes_in, machines_on
from sandbox.providers.virtualbox.vboxmanage import BASE_SNAPSHOT, COPY_S, NOTE_KEY, VBoxManage
from sandbox.providers.virtualbox.vms import list_vms, masters_of


class VirtualBox:
    """The hypervisor's side of the provider virtualbox."""

    provider: VmProvider = "virtualbox"
    vagrant_plugin = ""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.manage = VBoxManage()
        self.images = VirtualBoxImages(self.manage, prefix)

    def findings(self) -> tuple[Finding, ...]:
        """Find out whether VirtualBox is there, with doubts whether it works."""
        return virtualbox_look.virtualbox_findings(virtualbox_look.gather_virtualbox())

    def vms(self) -> dict[str, Vm]:
        """List all VMs with a name that begins with our prefix, in one call."""
        return list_vms(self.manage, self.prefix)

    def host_facts(self, record: VmRecord, folder: VmFolder) -> VagrantfileHost:
        """Return the Vagrantfile's settings for this host."""
        del record
        return VagrantfileHost(prefix=self.prefix, console_path=folder.path / "console.log")

    def emulates(self, record: VmRecord) -> bool:
        """Return False: VirtualBox does not say when it emulates the processor."""
        del record
        return False

    def prepare(self, record: VmRecord, folder: VmFolder, listener: Listener) -> None:
        """Clone the VM from a master: a baked image, or the base image, which is imported once."""
        baked = is_baked_name(record.image)
        box = None if baked else find_stored_box(record.image, self.provider)
        # Imports at the same time fail (VirtualBox issue 80), as does a clone of a locked master
        with hypervisor_lock("virtualbox"):
            if box is None:
                master = self.images.require(record.image)
            else:
                master = self._ensure_master(box, record, listener)
            self.manage.clear_leftovers(record.vm_name)
            # Still under the lock: `destroy` or `prune` may remove a master that nothing depends on
            listener(StepOutput(record.name, f"cloning {box.name if box else record.image}"))
            how = ("--options", "link") if record.virtualbox.linked_clone else ()
            words = ("clonevm", master, "--snapshot", BASE_SNAPSHOT, *how, "--register")
            name = ("--name", record.vm_name, "--uuid", record.uuid)
            self.manage(*words, *name, timeout_s=COPY_S)
            self.manage("setextradata", record.uuid, NOTE_KEY, record.owner_note)
        path = folder.id_path(record)
        private_folder(path.parent, folder.path)
        write_whole(path, record.uuid)

    def adjust(self, record: VmRecord) -> None:
        """Do nothing: Vagrant itself sets ports, memory and processors again at each start."""
        del record

    def power_off(self, vm: Vm) -> None:
        """Switch the VM off by force; a session that holds it is ended, too."""
        self.manage.power_off(vm.uuid)

    def resume(self, vm: Vm) -> None:
        """Resume a paused VM."""
        self.manage("controlvm", vm.uuid, "resume")

    def clear(self, record: VmRecord, vm: Vm | None) -> None:
        """Remove the VM, its disks, and files that VirtualBox forgets in its machine folder."""
        if vm is not None:
            if vm.power is not Power.STOPPED:
                self.power_off(vm)
            self.manage.unregister(vm.uuid)
        elif not record.made:
            # A clone that was cut off, and may still finish
            self.manage.wait_until_made(record.vm_name)
            if self.manage.info(record.uuid) is not None:
                self.manage.unregister(record.uuid)
        self.manage.clear_leftovers(record.vm_name)

    def base_copies(self) -> tuple[BaseCopy, ...]:
        """List the masters of which VMs are linked clones."""
        if shutil.which("VBoxManage") is None:
            return ()
        names = self.manage.names(self._masters)
        if not names:
            return ()
        root, disks, mine = self.manage.machine_folder(), self.manage.disks(), f"{self.prefix}-"
        return tuple(
            BaseCopy(name, bytes_in(root / name), machines_on(root / name, disks, prefix=mine))
            for name in names
        )

    def drop_unused_bases(self) -> tuple[str, ...]:
        """Remove masters with disks on which no clone depends."""
        with hypervisor_lock("virtualbox"):
            self._clear_unfinished()
            unused = tuple(copy.name for copy in self.base_copies() if not copy.machines)
            for name in unused:
                self.manage.unregister(name)
                self.manage.clear_leftovers(name)
        return unused

    def _clear_unfinished(self) -> None:
        """Masters that have a folder but no VM: imports that were cut off."""
        if shutil.which("VBoxManage") is None:
            return
        known = self.manage.names(self._masters)
        for folder in self.manage.machine_folder().glob(f"{self._masters}*"):
            if folder.name not in known:
                self.manage.wait_until_made(folder.name)
                self.manage.clear_leftovers(folder.name)

    def console(self, record: VmRecord, folder: VmFolder) -> str:
        """Read the console's file."""
        try:
            return self.host_facts(record, folder).console_path.read_text(
                errors="replace", encoding="utf-8"
            )
        except FileNotFoundError:
            return ""

    def save_snapshot(self, vm: Vm, snapshot: str) -> None:
        """Keep the disk and, of a running VM, its memory."""
        self.manage("snapshot", vm.uuid, "take", snapshot, timeout_s=COPY_S)

    def restore_snapshot(self, vm: Vm, snapshot: str) -> None:
        """Restore a snapshot of a VM, and start it if it ran; else drop the saved memory."""
        if vm.power is not Power.STOPPED:
            self.power_off(vm)
        self.manage("snapshot", vm.uuid, "restore", snapshot, timeout_s=COPY_S)
        if vm.power is Power.RUNNING:
            self.manage("startvm", vm.uuid, "--type", "headless", timeout_s=COPY_S)
        else:
            self.manage("discardstate", vm.uuid, check=False)

    def snapshots(self, vm: Vm) -> tuple[Snapshot, ...]:
        """List the VM's snapshots, the oldest first; VirtualBox lists them in that order."""
        done = self.manage("snapshot", vm.uuid, "list", "--machinereadable", check=False)
        if "does not have any snapshots" in done.stdout + done.stderr:
            return ()
        if done.returncode != 0:
            raise ProviderError("VirtualBox failed: snapshot list", details=done.stderr.strip())
        uuids = re.findall(r'^SnapshotUUID[-0-9]*="([^"]+)"$', done.stdout, re.MULTILINE)
        names = re.findall(r'^SnapshotName[-0-9]*="([^"]+)"$', done.stdout, re.MULTILINE)
        times = self._snapshot_times(vm)
        unknown = datetime.fromtimestamp(0, UTC)
        return tuple(
            Snapshot(name, times.get(uuid, unknown))
            for name, uuid in zip(names, uuids, strict=True)
        )

    def delete_snapshot(self, vm: Vm, snapshot: str) -> None:
        """Forget a snapshot; its disk is merged into the next one."""
        self.manage("snapshot", vm.uuid, "delete", snapshot, timeout_s=COPY_S)

    @property
    def _masters(self) -> str:
        return masters_of(self.prefix)

    def master_name(self, box: StoredBox, disk_gb: int) -> str:
        """Return the name of the master for that base image and that size of disk."""
        return f"{self._masters}{box.key}-{disk_gb}"

    def _ensure_master(self, box: StoredBox, record: VmRecord, listener: Listener) -> str:
        name = self.master_name(box, record.disk_gb)
        info = self.manage.info(name)
        if info is None:
            self.manage.wait_until_made(name)
            info = self.manage.info(name)
        if info is not None:
            if f'SnapshotName="{BASE_SNAPSHOT}"' in info:
                return name
            # An import that was cut off
            self.manage.unregister(name)
        self.manage.clear_leftovers(name)
        listener(StepOutput(record.name, f"importing {box.name} into VirtualBox"))
        ovf = box.folder / "box.ovf"
        # As VDI: base images come as VMDK, which cannot be resized
        how = ("--vsys", "0", "--vmname", name, "--options", "importtovdi")
        self.manage("import", str(ovf), *how, timeout_s=COPY_S)
        self._size_disk(name, record, listener)
        self.manage("snapshot", name, "take", BASE_SNAPSHOT, timeout_s=COPY_S)
        return name

    def _size_disk(self, master: str, record: VmRecord, listener: Listener) -> None:
        """Grow the master's disk, before anything depends on it: its clones are as large.

        The machine grows its file system when it starts. A disk takes the space of its content.
        """
        found = re.search(
            r'^"[^"]+-ImageUUID-\d+-\d+"="([0-9a-f-]{36})"$',
            self.manage.info(master) or "",
            re.MULTILINE,
        )
        if found is None:
            listener(Notice(record.name, "VirtualBox names no disk: its size is not changed"))
            return
        said = self.manage("showmediuminfo", "disk", found[1]).stdout
        capacity = re.search(r"^Capacity:\s+(\d+) MBytes", said, re.MULTILINE)
        now_mb, wanted_mb = int(capacity[1]) if capacity else 0, record.disk_gb * 1024
        if now_mb > wanted_mb:
            text = f"the disk is {now_mb} MB, not {wanted_mb}: its base image is not smaller"
            listener(Notice(record.name, text))
        if now_mb >= wanted_mb:
            return
        try:
            self.manage("modifymedium", "disk", found[1], "--resize", str(wanted_mb))
        except ProviderError as error:
            last = "".join(error.details.strip().splitlines()[-1:])
            text = f"the disk stays at {now_mb} MB: VirtualBox cannot grow it: {last}"
            listener(Notice(record.name, text))

    def _snapshot_times(self, vm: Vm) -> dict[str, datetime]:
        """Times of snapshots, from the VM's settings file: VBoxManage does not tell them."""
        info = self.manage.info(vm.uuid) or ""
        found = re.search(r'^CfgFile="(.+)"$', info, re.MULTILINE)
        if found is None:
            return {}
        try:
            text = Path(found[1]).read_text(errors="replace", encoding="utf-8")
        except OSError:
            return {}
        pattern = r'<Snapshot uuid="\{([0-9a-f-]{36})\}"[^>]*?timeStamp="([^"]+)"'
        return {
            uuid: datetime.fromisoformat(stamp.replace("Z", "+00:00"))
            for uuid, stamp in re.findall(pattern, text)
        }
