"""libvirt itself, through virsh: what there is, base volumes, leftovers, the console, snapshots."""

import json
import re
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from sandbox.engines.accelerator import accelerator, kvm_finding
from sandbox.engines.base import Finding, Power, Snapshot
from sandbox.engines.vagrant_files import (
    HostFacts,
    VmFolder,
    VmProvider,
    VmRecord,
    netdev,
    render_domain,
)
from sandbox.engines.vagrant_vms import StoredBox, Vm, find_box, host_lock
from sandbox.errors import CommandError, HostError, ProviderError, SandboxError
from sandbox.events import Listener, StepOutput
from sandbox.run import Completed, run

URI: Final = "qemu:///system"
# Below libvirt's own folder, whose owner and security labels are right for QEMU
_POOLS: Final = Path("/var/lib/libvirt")
_BASE_MARK: Final = "_vagrant_box_image_"
_QUICK_S: Final = 30.0
_LISTS: Final = 5
_COPY_S: Final = 1800.0
_SETUP: Final = "sandbox host setup --provider libvirt"

_POWER: Final = {
    "running": Power.RUNNING,
    "in shutdown": Power.RUNNING,
    "shut off": Power.STOPPED,
}


class Libvirt:
    """The hypervisor's side of the provider libvirt."""

    provider: VmProvider = "libvirt"

    def __init__(self, prefix: str, *, uri: str = URI, pool: str | None = None) -> None:
        self.prefix = prefix
        self.uri = uri
        # Of our own: what is in it is ours, and goes with it
        self.pool = pool or prefix

    def findings(self) -> tuple[Finding, ...]:
        """Whether libvirt answers, and what runs the guests."""
        title = "libvirt answers"
        try:
            said = self._virsh("version").stdout
        except SandboxError as error:
            detail = error.details or error.message
            return (Finding(ok=False, title=title, detail=detail, fix=error.hint or _SETUP),)
        hypervisor = re.search(r"Running hypervisor: (.+)", said)
        answers = Finding(ok=True, title=title, detail=hypervisor[1] if hypervisor else self.uri)
        return (answers, kvm_finding(accelerator()))

    def vms(self) -> dict[str, Vm]:
        """All domains whose name begins with our prefix."""
        for _ in range(_LISTS - 1):
            try:
                return self._list()
            except ProviderError as error:
                # Somebody else's `destroy` came between the list and the question
                if not re.search("failed to get domain", error.details, re.IGNORECASE):
                    raise
        return self._list()

    def _list(self) -> dict[str, Vm]:
        said = self._virsh("list --all; echo ==; list --all --uuid --name").stdout
        # virsh's echo ends no line
        table, _, pairs = said.partition("==")
        name = rf"{re.escape(self.prefix)}-\S+"
        uuids = {
            found[2]: found[1]
            for found in re.finditer(rf"^\s*([0-9a-f-]{{36}})\s+({name})\s*$", pairs, re.MULTILINE)
        }
        states = dict(re.findall(rf"^\s*\S+\s+({name})\s+(\S.*?)\s*$", table, re.MULTILINE))
        known = [one for one in states if one in uuids]
        notes = self._notes([uuids[one] for one in known])
        return {
            one: Vm(
                name=one,
                uuid=uuids[one],
                power=_POWER.get(states[one], Power.BROKEN),
                detail=states[one],
                note=notes.get(uuids[one], ""),
            )
            for one in known
        }

    def host_facts(self, record: VmRecord, folder: VmFolder) -> HostFacts:
        """What the Vagrantfile says about this host."""
        del folder
        driver = _driver(record)
        return HostFacts(
            prefix=self.prefix,
            console_path=self._console_path(record),
            driver=driver,
            libvirt_uri=self.uri,
            pool=self.pool,
            slow=driver == "qemu",
        )

    def emulates(self, record: VmRecord) -> bool:
        """Whether QEMU itself is the processor."""
        return _driver(record) == "qemu"

    def prepare(self, record: VmRecord, folder: VmFolder, listener: Listener) -> None:
        """Put the base image into the pool, whole; then the VM's own disk, and the VM."""
        box = find_box(record.image, self.provider)
        with host_lock("libvirt"):
            self._ensure_pool()
            base = self._ensure_base_volume(box, record, listener)
            # Under the lock still: a base on which nothing hangs may be removed by a `destroy`
            name, size = f"{record.vm_name}.img", f"{record.disk_gb}G"
            backing = ("--backing-vol", base, "--backing-vol-format", "qcow2")
            self._virsh("vol-create-as", self.pool, name, size, "--format", "qcow2", *backing)
        facts = self.host_facts(record, folder)
        self._define(render_domain(record, facts, self._pool_path() / name))

    def adjust(self, record: VmRecord) -> None:
        """Let QEMU forward the ports that the record names; Vagrant sets them at creation only."""
        xml = self._virsh("dumpxml", "--inactive", "--security-info", record.uuid).stdout
        changed = re.sub(r"user,id=sandbox[^'\"]*", netdev(record), xml)
        if changed != xml:
            self._define(changed)

    def power_off(self, vm: Vm) -> None:
        """Pull the plug."""
        self._tolerant("destroy", vm.uuid, but=r"domain is not running|no domain")

    def resume(self, vm: Vm) -> None:
        """Let a paused domain go on."""
        self._virsh("resume", vm.uuid)

    def clear(self, record: VmRecord, vm: Vm | None) -> None:
        """Remove the domain, its volume and its console's file."""
        if vm is not None:
            self.power_off(vm)
            flags = ("--managed-save", "--snapshots-metadata", "--nvram")
            self._tolerant("undefine", vm.uuid, *flags, but=r"no domain")
        if not self._has_pool():
            return
        self._refresh_pool()
        names = {f"{record.vm_name}.img", self._console_path(record).name}
        for name in self._volumes() & names:
            self._tolerant("vol-delete", "--pool", self.pool, name, but=r"no storage vol")

    def drop_unused_bases(self) -> None:
        """Remove base images from the pool on which no disk hangs."""
        with host_lock("libvirt"):
            volumes = self._volumes() if self._has_pool() else set()
            bases = {name for name in volumes if _BASE_MARK in name}
            # One may vanish while we look: then nothing of it hangs anywhere
            said = "".join(
                self._virsh("vol-dumpxml", "--pool", self.pool, name, check=False).stdout
                for name in volumes - bases
            )
            for name in bases:
                if f"/{name}<" not in said:
                    self._tolerant("vol-delete", "--pool", self.pool, name, but="no storage vol")

    def console(self, record: VmRecord, folder: VmFolder) -> str:
        """The console's file: libvirt's own daemon owns it, and reads it to us when we may not."""
        path = self._console_path(record)
        try:
            return path.read_text(errors="replace")
        except FileNotFoundError:
            return ""
        except PermissionError:
            copy = folder.path / "console.log"
            self._refresh_pool()
            self._virsh("vol-download", "--pool", self.pool, path.name, str(copy))
            return copy.read_text(errors="replace")

    def save_snapshot(self, vm: Vm, snapshot: str) -> None:
        """Keep disk and, of a running one, memory."""
        self._virsh("snapshot-create-as", vm.uuid, snapshot, "--atomic", timeout_s=_COPY_S)

    def restore_snapshot(self, vm: Vm, snapshot: str) -> None:
        """Revert; a domain that was stopped is stopped again."""
        running = vm.power is Power.RUNNING
        flags = ("--force", *(("--running",) if running else ()))
        self._virsh("snapshot-revert", vm.uuid, snapshot, *flags, timeout_s=_COPY_S)
        if not running:
            self.power_off(vm)

    def snapshots(self, vm: Vm) -> tuple[Snapshot, ...]:
        """Its snapshots, the oldest first."""
        said = self._virsh("snapshot-list", vm.uuid).stdout
        pattern = r"^\s*(\S+)\s+(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4})\s"
        found = [
            Snapshot(one[1], datetime.strptime(one[2], "%Y-%m-%d %H:%M:%S %z"))
            for one in re.finditer(pattern, said, re.MULTILINE)
        ]
        return tuple(sorted(found, key=lambda one: one.created_at))

    def delete_snapshot(self, vm: Vm, snapshot: str) -> None:
        """Forget a state."""
        self._virsh("snapshot-delete", vm.uuid, snapshot, timeout_s=_COPY_S)

    def _notes(self, uuids: list[str]) -> dict[str, str]:
        if not uuids:
            return {}
        said = self._virsh("; ".join(f"echo =={one}; desc {one}" for one in uuids)).stdout
        notes: dict[str, str] = dict(re.findall(r"==([0-9a-f-]{36})([^\n]+)", said))
        if missing := set(uuids) - set(notes):
            # virsh succeeds as its last question does
            raise ProviderError(
                "libvirt failed: desc", details=f"failed to get domain {', '.join(sorted(missing))}"
            )
        return notes

    def _console_path(self, record: VmRecord) -> Path:
        # In the pool, so that libvirt reads it to a user who may not open its files
        return self._pool_path() / f"{record.vm_name}-console.log"

    def _pool_path(self) -> Path:
        said = self._virsh("pool-dumpxml", self.pool, check=False).stdout
        found = re.search(r"<path>([^<]+)</path>", said)
        return Path(found[1]) if found else _POOLS / self.pool

    def _has_pool(self) -> bool:
        names = self._virsh("pool-list", "--name").stdout.split()
        return self.pool in names

    def _volumes(self) -> set[str]:
        said = self._virsh("vol-list", self.pool).stdout
        return {line.split()[0] for line in said.splitlines() if line.strip()}

    def _ensure_pool(self) -> None:
        if self._has_pool():
            return
        if self.pool not in self._virsh("pool-list", "--all", "--name").stdout.split():
            self._virsh("pool-define-as", self.pool, "dir", "--target", str(_POOLS / self.pool))
            self._virsh("pool-build", self.pool)
            self._virsh("pool-autostart", self.pool)
        self._virsh("pool-start", self.pool)

    def _define(self, xml: str) -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".xml") as file:
            file.write(xml)
            file.flush()
            self._virsh("define", file.name)

    def _ensure_base_volume(self, box: StoredBox, record: VmRecord, listener: Listener) -> str:
        """Vagrant takes a volume of that name for whole, also when its upload was cut off."""
        metadata = json.loads((box.folder / "metadata.json").read_text())
        disks = metadata.get("disks") or [{"path": "box.img"}]
        image = box.folder / disks[0]["path"]
        name = base_volume_name(box, image)
        size = image.stat().st_size
        if name in self._volumes():
            if self._volume_bytes(name) >= size:
                return name
            self._virsh("vol-delete", "--pool", self.pool, name)
        listener(StepOutput(record.name, f"copying the base image {box.name} to {self.pool}"))
        capacity = f"{int(metadata.get('virtual_size', 1))}G"
        flags = ("--format", "qcow2", "--allocation", "0")
        self._virsh("vol-create-as", self.pool, name, capacity, *flags)
        self._virsh("vol-upload", "--pool", self.pool, name, str(image), timeout_s=_COPY_S)
        return name

    def _volume_bytes(self, name: str) -> int:
        said = self._virsh("vol-dumpxml", "--pool", self.pool, name).stdout
        found = re.search(r"<physical unit='bytes'>(\d+)</physical>", said)
        return int(found[1]) if found else 0

    def _refresh_pool(self) -> None:
        """Let libvirt see files that came by themselves, such as a console's."""
        deadline = time.monotonic() + _COPY_S
        while True:
            try:
                self._virsh("pool-refresh", self.pool)
            except ProviderError as error:
                # It refuses as long as anybody's disk is being made or copied there
                if "asynchronous jobs" not in error.details or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
            else:
                return

    def _tolerant(self, *words: str, but: str) -> None:
        """Run it; that there is nothing to do is no failure."""
        try:
            self._virsh(*words)
        except ProviderError as error:
            if not re.search(but, error.details, re.IGNORECASE):
                raise

    def _virsh(self, *words: str, timeout_s: float = _QUICK_S, check: bool = True) -> Completed:
        try:
            return run(
                ("virsh", "-q", "-c", self.uri, *words),
                timeout_s=timeout_s,
                env={"LC_ALL": "C"},
                check=check,
            )
        except CommandError as error:
            raise _explain(error, words[0]) from error


def base_volume_name(box: StoredBox, image: Path) -> str:
    """The name under which vagrant-libvirt, too, looks for the base image."""
    version = box.version
    if version in ("", "0"):
        version = f"0_{int(image.stat().st_mtime)}"
    name = box.name.replace("/", "-VAGRANTSLASH-")
    return f"{name}{_BASE_MARK}{version}_{image.stem}.img"


def _driver(record: VmRecord) -> Literal["kvm", "qemu"]:
    return record.libvirt.driver or accelerator().kind


def _explain(error: CommandError, what: str) -> SandboxError:
    own = error.stderr.strip() or error.details
    if error.returncode == 127 and not error.stderr:  # noqa: PLR2004
        return HostError("libvirt's client `virsh` is not installed", hint=_SETUP)
    if re.search(r"failed to connect to the hypervisor|connect socket", own):
        return HostError("libvirt does not answer", details=own, hint=_SETUP)
    if re.search(r"[Nn]o space left", own):
        return HostError("no space left in libvirt's storage", details=own, hint="df -h")
    return ProviderError(f"libvirt failed: {what.partition(';')[0]}", details=own)
