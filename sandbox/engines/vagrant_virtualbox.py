"""VirtualBox itself, through VBoxManage: what there is, clones, leftovers, the console, snapshots.

The VM is cloned here, under a name and an id chosen beforehand, and started by Vagrant. Vagrant's
own import gives it a random name first, and a run killed then leaves a VM that nobody can place.
"""

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from sandbox.engines import virtualbox_look
from sandbox.engines.base import BaseCopy, Finding, Power, Snapshot
from sandbox.engines.vagrant_files import HostFacts, VmFolder, VmRecord
from sandbox.engines.vagrant_vms import StoredBox, Vm, find_box, host_lock
from sandbox.engines.virtualbox_disks import clones_of, disks_in
from sandbox.errors import CommandError, HostError, ProviderError, SandboxError
from sandbox.events import Listener, Notice, StepOutput
from sandbox.run import Completed, run

NOTE_KEY: Final = "sandbox/note"
BASE_SNAPSHOT: Final = "base"
"""What linked clones hang on; taken last, so that a master that has it is whole."""

_QUICK_S: Final = 120.0
_COPY_S: Final = 1800.0
_UNLOCK_S: Final = 60.0
_LISTS: Final = 5
_LIST_PAUSE_S: Final = 0.3

_POWER: Final = {
    "running": Power.RUNNING,
    "powered off": Power.STOPPED,
    "aborted": Power.STOPPED,
    "saved": Power.STOPPED,
    "aborted-saved": Power.STOPPED,
    "starting": Power.STARTING,
    "restoring": Power.STARTING,
}


class VirtualBox:
    """The hypervisor's side of the provider virtualbox."""

    provider: Literal["virtualbox"] = "virtualbox"

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    def findings(self) -> tuple[Finding, ...]:
        """Whether VirtualBox is there, and what makes it doubtful that it works."""
        return virtualbox_look.findings(virtualbox_look.gather())

    def vms(self) -> dict[str, Vm]:
        """All VMs whose name begins with our prefix, in one call."""
        said = self._list("--long", "vms")
        found = {}
        for name, text in _sections(said):
            if not name.startswith(f"{self.prefix}-") or name.startswith(self._masters):
                continue
            uuid = re.search(r"^UUID:\s+([0-9a-f-]{36})\s*$", text, re.MULTILINE)
            state = re.search(r"^State:\s+(.+?)(?: \(since .*\))?\s*$", text, re.MULTILINE)
            if uuid is None:
                continue
            word = state[1] if state else "inaccessible"
            power = _POWER.get(word, Power.BROKEN)
            found[name] = Vm(name, uuid[1], power, word, self._note(uuid[1]))
        return found

    def host_facts(self, record: VmRecord, folder: VmFolder) -> HostFacts:
        """What the Vagrantfile says about this host."""
        del record
        return HostFacts(prefix=self.prefix, console_path=folder.path / "console.log")

    def emulates(self, record: VmRecord) -> bool:
        """VirtualBox does not say when it has to do without the processor's virtualisation."""
        del record
        return False

    def prepare(self, record: VmRecord, folder: VmFolder, listener: Listener) -> None:
        """Import the base image once as a master, and clone the VM from it."""
        box = find_box(record.image, self.provider)
        # Imports at the same time fail (VirtualBox issue 80), as does a clone of a locked master
        with host_lock("virtualbox"):
            master = self._ensure_master(box, record, listener)
            self._clear_leftovers(record.vm_name)
            listener(StepOutput(record.name, f"cloning {box.name}"))
            how = ("--options", "link") if record.virtualbox.linked_clone else ()
            words = ("clonevm", master, "--snapshot", BASE_SNAPSHOT, *how, "--register")
            name = ("--name", record.vm_name, "--uuid", record.uuid)
            self._manage(*words, *name, timeout_s=_COPY_S)
            self._manage("setextradata", record.uuid, NOTE_KEY, record.owner_note)
        path = folder.id_path(record)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(record.uuid)

    def adjust(self, record: VmRecord) -> None:
        """Vagrant itself sets ports, memory and processors anew at each start."""
        del record

    def power_off(self, vm: Vm) -> None:
        """Pull the plug; a session that holds it is ended, too."""
        try:
            self._manage("controlvm", vm.uuid, "poweroff")
        except ProviderError as error:
            if "not currently running" not in error.details:
                self._manage("startvm", vm.uuid, "--type", "emergencystop", check=False)
        self._wait_unlocked(vm.uuid)

    def resume(self, vm: Vm) -> None:
        """Let a paused VM go on."""
        self._manage("controlvm", vm.uuid, "resume")

    def clear(self, record: VmRecord, vm: Vm | None) -> None:
        """Remove the VM, its disks, and what VirtualBox forgets in its machine folder."""
        if vm is not None:
            if vm.power is not Power.STOPPED:
                self.power_off(vm)
            self._unregister(vm.uuid)
        self._clear_leftovers(record.vm_name)

    def base_copies(self) -> tuple[BaseCopy, ...]:
        """The masters that VMs are linked clones of."""
        if shutil.which("VBoxManage") is None:
            return ()
        pattern = rf'^"({re.escape(self._masters)}[^"]+)" '
        names = re.findall(pattern, self._list("vms"), re.MULTILINE)
        if not names:
            return ()
        folder, disks = self._machine_folder(), self._list("hdds")
        return tuple(
            BaseCopy(
                name,
                _size(folder / name),
                tuple(
                    clone.removeprefix(f"{self.prefix}-")
                    for clone in clones_of(folder / name, disks)
                ),
            )
            for name in names
        )

    def drop_unused_bases(self) -> tuple[str, ...]:
        """Remove masters on whose disks no clone hangs."""
        with host_lock("virtualbox"):
            unused = tuple(copy.name for copy in self.base_copies() if not copy.machines)
            for name in unused:
                self._unregister(name)
                self._clear_leftovers(name)
        return unused

    def console(self, record: VmRecord, folder: VmFolder) -> str:
        """The console's file."""
        try:
            return self.host_facts(record, folder).console_path.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def save_snapshot(self, vm: Vm, snapshot: str) -> None:
        """Keep disk and, of a running one, memory."""
        self._manage("snapshot", vm.uuid, "take", snapshot, timeout_s=_COPY_S)

    def restore_snapshot(self, vm: Vm, snapshot: str) -> None:
        """Power off, restore, and start again what ran; else a state of memory is dropped."""
        if vm.power is not Power.STOPPED:
            self.power_off(vm)
        self._manage("snapshot", vm.uuid, "restore", snapshot, timeout_s=_COPY_S)
        if vm.power is Power.RUNNING:
            self._manage("startvm", vm.uuid, "--type", "headless", timeout_s=_COPY_S)
        else:
            self._manage("discardstate", vm.uuid, check=False)

    def snapshots(self, vm: Vm) -> tuple[Snapshot, ...]:
        """Its snapshots, the oldest first; VirtualBox lists them in that order."""
        done = self._manage("snapshot", vm.uuid, "list", "--machinereadable", check=False)
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
        """Forget a state; its disk is merged into the next one."""
        self._manage("snapshot", vm.uuid, "delete", snapshot, timeout_s=_COPY_S)

    @property
    def _masters(self) -> str:
        return f"{self.prefix}-base."

    def _note(self, uuid: str) -> str:
        said = self._manage("getextradata", uuid, NOTE_KEY, check=False).stdout
        found = re.search(r"^Value: (.*)$", said, re.MULTILINE)
        return found[1] if found else ""

    def _info(self, vm: str) -> str | None:
        """What VirtualBox knows of a VM; None when it knows none."""
        try:
            return self._manage("showvminfo", vm, "--machinereadable").stdout
        except ProviderError as error:
            if "VBOX_E_OBJECT_NOT_FOUND" in error.details or "Could not find" in error.details:
                return None
            raise

    def master_name(self, box: StoredBox, disk_gb: int) -> str:
        """Of the VM that those with that base image and that size of disk are cloned from."""
        return f"{self._masters}{box.key}-{disk_gb}"

    def _ensure_master(self, box: StoredBox, record: VmRecord, listener: Listener) -> str:
        name = self.master_name(box, record.disk_gb)
        info = self._info(name)
        if info is not None:
            if f'SnapshotName="{BASE_SNAPSHOT}"' in info:
                return name
            # An import that was cut off
            self._unregister(name)
        self._clear_leftovers(name)
        listener(StepOutput(record.name, f"importing {box.name} into VirtualBox"))
        ovf = box.folder / "box.ovf"
        # As VDI: a VMDK, which base images come with, cannot be resized
        how = ("--vsys", "0", "--vmname", name, "--options", "importtovdi")
        self._manage("import", str(ovf), *how, timeout_s=_COPY_S)
        self._size_disk(name, record, listener)
        self._manage("snapshot", name, "take", BASE_SNAPSHOT, timeout_s=_COPY_S)
        return name

    def _size_disk(self, master: str, record: VmRecord, listener: Listener) -> None:
        """Grow the master's disk, before anything hangs on it: its clones are as large.

        The machine's own start grows its file system. A disk takes the space of what is in it.
        """
        found = re.search(
            r'^"[^"]+-ImageUUID-\d+-\d+"="([0-9a-f-]{36})"$', self._info(master) or "", re.MULTILINE
        )
        if found is None:
            listener(Notice(record.name, "VirtualBox names no disk: its size is not changed"))
            return
        said = self._manage("showmediuminfo", "disk", found[1]).stdout
        capacity = re.search(r"^Capacity:\s+(\d+) MBytes", said, re.MULTILINE)
        now_mb, wanted_mb = int(capacity[1]) if capacity else 0, record.disk_gb * 1024
        if now_mb > wanted_mb:
            text = f"the disk is {now_mb} MB, not {wanted_mb}: its base image is not smaller"
            listener(Notice(record.name, text))
        if now_mb >= wanted_mb:
            return
        try:
            self._manage("modifymedium", "disk", found[1], "--resize", str(wanted_mb))
        except ProviderError as error:
            last = "".join(error.details.strip().splitlines()[-1:])
            text = f"the disk stays at {now_mb} MB: VirtualBox cannot grow it: {last}"
            listener(Notice(record.name, text))

    def _unregister(self, vm: str) -> None:
        """Remove a VM and its disks; one that is locked is freed first."""
        deadline = time.monotonic() + _UNLOCK_S
        while True:
            try:
                self._manage("unregistervm", vm, "--delete", timeout_s=_COPY_S)
            except ProviderError as error:
                if re.search(r"NOT_FOUND|Could not find a registered", error.details):
                    return
                locked = re.search(r"locked|INVALID_OBJECT_STATE", error.details)
                if locked is None or time.monotonic() > deadline:
                    raise
                self._manage("startvm", vm, "--type", "emergencystop", check=False)
                time.sleep(1)
            else:
                return

    def _clear_leftovers(self, vm_name: str) -> None:
        """Disks and files of a VM of that name that is no longer registered.

        VirtualBox itself leaves them after some removals, and refuses the next VM of that name
        with VERR_ALREADY_EXISTS.

        Raises:
            ProviderError: the folder holds what is not ours.
        """
        if self._info(vm_name) is not None:
            return
        folder = self._machine_folder() / vm_name
        for uuid in disks_in(folder, self._list("hdds")):
            self._manage("closemedium", "disk", uuid, "--delete", check=False)
        if not folder.is_dir():
            return
        if foreign := _foreign_files(folder, vm_name):
            raise ProviderError(
                f"{folder} holds files that `sandbox` did not make; they are left alone",
                details="\n".join(str(path) for path in foreign[:10]),
                hint="move that folder away, or choose another name with --name",
            )
        shutil.rmtree(folder)

    def _machine_folder(self) -> Path:
        said = self._list("systemproperties")
        found = re.search(r"^Default machine folder:\s+(.+?)\s*$", said, re.MULTILINE)
        if found is None:
            raise ProviderError("VirtualBox names no machine folder", details=said)
        return Path(found[1])

    def _wait_unlocked(self, uuid: str) -> None:
        """A VM that was switched off stays locked for a moment."""
        deadline = time.monotonic() + _UNLOCK_S
        while time.monotonic() < deadline:
            info = self._info(uuid)
            if info is None or "SessionName=" not in info:
                return
            time.sleep(0.5)

    def _snapshot_times(self, vm: Vm) -> dict[str, datetime]:
        """From the VM's settings file: VBoxManage does not tell them."""
        info = self._info(vm.uuid) or ""
        found = re.search(r'^CfgFile="(.+)"$', info, re.MULTILINE)
        if found is None:
            return {}
        try:
            text = Path(found[1]).read_text(errors="replace")
        except OSError:
            return {}
        pattern = r'<Snapshot uuid="\{([0-9a-f-]{36})\}"[^>]*?timeStamp="([^"]+)"'
        return {
            uuid: datetime.fromisoformat(stamp.replace("Z", "+00:00"))
            for uuid, stamp in re.findall(pattern, text)
        }

    def _list(self, *words: str) -> str:
        """A list of all there is, which fails when one of them is removed while it is read."""
        for _ in range(_LISTS - 1):
            with suppress(ProviderError):
                return self._manage("list", *words).stdout
            time.sleep(_LIST_PAUSE_S)
        return self._manage("list", *words).stdout

    def _manage(self, *words: str, timeout_s: float = _QUICK_S, check: bool = True) -> Completed:
        try:
            return run(
                ("VBoxManage", *words), timeout_s=timeout_s, env={"LC_ALL": "C"}, check=check
            )
        except CommandError as error:
            raise _explain(error, words[0]) from error


def _size(folder: Path) -> int | None:
    """Of the files in a VM's folder; None when they are not for us to see."""
    try:
        return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    except OSError:
        return None


def _sections(said: str) -> Iterator[tuple[str, str]]:
    """`list --long vms` cut into its VMs; a shared folder's `Name:` has no UUID after it."""
    starts = list(re.finditer(r"^Name:\s+(\S.*?)\s*$(?=(?:\n.*){1,4}\nUUID:)", said, re.MULTILINE))
    ends = [*(one.start() for one in starts), len(said)][1:]
    for start, end in zip(starts, ends, strict=True):
        yield start[1], said[start.start() : end]


def _foreign_files(folder: Path, vm_name: str) -> list[Path]:
    """Files that are neither VirtualBox's settings and logs nor a disk of a VM of ours."""
    ours = re.compile(
        rf"{re.escape(vm_name)}[^/]*\.(vbox|vbox-prev|vbox-tmp|nvram)|"
        r"(Logs|Snapshots)/.*|[^/]*(box|disk)[^/]*\.(vmdk|vdi)|VBox[^/]*\.log[^/]*"
    )
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ours.fullmatch(path.relative_to(folder).as_posix()) is None
    ]


def _explain(error: CommandError, what: str) -> SandboxError:
    own = error.stderr.strip() or error.details
    if error.returncode == 127 and not error.stderr:  # noqa: PLR2004
        return HostError("VirtualBox's `VBoxManage` is not installed", hint="sandbox doctor")
    if re.search(r"VERR_DISK_FULL|[Nn]o space left", own):
        return HostError("no space left for VirtualBox's disks", details=own, hint="df -h")
    return ProviderError(f"VirtualBox failed: {what}", details=own)
