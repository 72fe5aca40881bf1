"""The Vagrant engine: virtual machines on VirtualBox and libvirt, one in each instance's folder.

Vagrant creates, starts and stops the VMs; its Vagrantfile is rendered into the folder and needs no
other file. Leftovers of a killed run, listings and owners are a matter of the hypervisor.
"""

import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from sandbox.errors import ProviderError, SandboxError
from sandbox.events import Listener, Notice, StepOutput, ignore
from sandbox.files import private_folder, write_whole
from sandbox.paths import instances_dir
from sandbox.providers.abilities import BaseCopy, Snapshot
from sandbox.providers.engine import MachineSpec, MachineStatus, Power, SshEndpoint
from sandbox.providers.findings import HostReport
from sandbox.providers.refusals import has_already
from sandbox.providers.sealing import is_baked_name
from sandbox.providers.vagrant.cli import VagrantCli
from sandbox.providers.vagrant.files import (
    HALT_TIMEOUT_S,
    SSH,
    VmFolder,
    VmRecord,
    boot_timeout_s,
    example_files,
    new_record,
)
from sandbox.providers.vagrant.host_check import check_size, vagrant_findings
from sandbox.providers.vagrant.hypervisor import (
    Hypervisor,
    hypervisor_lock,
    is_our_vm,
    record_of,
    refuse_foreign_vm,
    require_same_key,
    require_snapshot,
)
from sandbox.providers.vagrant.ports import PortBook
from sandbox.providers.vagrant.ssh import (
    add_last_words,
    learn_host_keys,
    retire_boxs_account,
    run_over_ssh_as_root,
    set_clock,
    wait_for_sshd,
)
from sandbox.providers.vagrant.vm import Vm, read_note
from sandbox.render import LOGIN_USER
from sandbox.run import Completed

_IMPORT_S: Final = 1800.0


class VagrantEngine:
    """Machines as VMs of one hypervisor, started by Vagrant."""

    def __init__(self, hypervisor: Hypervisor, instances: Path | None = None) -> None:
        self.hypervisor = hypervisor
        self.provider: str = hypervisor.provider
        self.instances = instances_dir() if instances is None else instances

    def check_host(self, *, brief: bool = False) -> HostReport:
        """Report on Vagrant, its plugin, and the hypervisor itself; reads only."""
        own = HostReport(self.provider, self.hypervisor.findings())
        if brief and not own.sound:
            # Vagrant takes most of a second to say its version
            return own
        vagrant = vagrant_findings(self.hypervisor)
        return HostReport(self.provider, (*own.findings, *vagrant))

    def create(self, spec: MachineSpec, listener: Listener) -> None:
        """Make the VM, stopped, with an id that was written down before.

        Raises:
            HostError: the host has not enough memory or processors, or lacks a program.
            ProviderError: the provider refused, or somebody else's machine has the name.
        """
        with hypervisor_lock(f"vm-{spec.name}"):
            self._create(spec, VmFolder(spec.instance_dir), listener)

    def _create(self, spec: MachineSpec, folder: VmFolder, listener: Listener) -> None:
        record, vm = folder.read(), self._vm(spec.name)
        refuse_foreign_vm(vm, record)
        if record is not None and vm is not None and record.made:
            require_same_key(record, spec)
            return
        check_size(spec)
        if record is not None:
            # A killed run got this far, or somebody else deleted its VM
            self._clear(folder, record, vm)
        record = PortBook(self.instances).reserve(
            folder,
            (SSH, *spec.forwarded_ports),
            lambda ports: new_record(spec, self.hypervisor.provider, self.hypervisor.prefix, ports),
        )
        try:
            self.hypervisor.prepare(record, folder, listener)
        except SandboxError:
            self._clear(folder, record, self._vm(spec.name))
            folder.record_path.unlink(missing_ok=True)
            raise
        folder.write(record.model_copy(update={"made": True}))

    def preview(self, spec: MachineSpec) -> tuple[tuple[str, str], ...]:
        """Render the Vagrantfile and the script it runs, with example ports."""
        return example_files(spec, self.hypervisor.provider, self.hypervisor.prefix)

    def start(self, name: str, listener: Listener) -> None:
        """Start it and wait until its sshd answers.

        Raises:
            ProviderError: absent, not ours, or not ready in time.
        """
        folder, record, vm = self._ours(name)
        settled = vm.power is Power.RUNNING and record.settled
        if settled and wait_for_sshd(record, folder, timeout_s=5):
            return
        if vm.power in {Power.BROKEN, Power.PAUSED}:
            vm = self._mend(vm, name, listener)
        if vm.power is Power.STOPPED:
            record = self._with_free_ports(folder, record, listener)
            self.hypervisor.adjust(record)
        try:
            self._up(folder, record, listener)
        except SandboxError as error:
            add_last_words(error, self.hypervisor, record, folder)
            raise

    def stop(self, name: str, *, timeout_s: float) -> None:
        """Shut it down, by force after `timeout_s`.

        Raises:
            ProviderError: absent, not ours, or it cannot be stopped even by force.
        """
        folder, record, vm = self._ours(name)
        if vm.power is Power.STOPPED:
            return
        if vm.power is Power.PAUSED:  # A paused machine does not shut itself down
            vm = self._mend(vm, name, ignore)
        if vm.power is Power.RUNNING and timeout_s > 0:
            # If it did not stop gently, force is used below
            with suppress(ProviderError):
                self._point_vagrant(folder, record)
                limit_s = min(timeout_s, HALT_TIMEOUT_S) + 30
                self._cli(folder, record, ignore).shut_down(timeout_s=limit_s)
        vm = self._vm(name) or vm
        if vm.power is not Power.STOPPED:
            self.hypervisor.power_off(vm)

    def destroy(self, name: str) -> None:
        """Remove the VM and all that was made for it, whatever its state.

        Raises:
            ProviderError: it is not ours, or the provider cannot remove it.
        """
        folder = self._folder(name)
        record, vm = self._readable(folder), self._vm(name)
        refuse_foreign_vm(vm, record)
        if vm is not None and record is not None and folder.vagrantfile.exists():
            # Vagrant removes it from its own list; we clear what Vagrant leaves or fails at below
            with suppress(ProviderError):
                self._point_vagrant(folder, record)
                self._cli(folder, record, ignore).remove()
            vm = self._vm(name)
        if record is None and vm:
            record = record_of(vm, name, self.hypervisor.provider)
        if record is not None:
            self._clear(folder, record, vm)
            self.hypervisor.drop_unused_bases()
        folder.record_path.unlink(missing_ok=True)

    def base_copies(self) -> tuple[BaseCopy, ...]:
        """List the copies of base images; see `abilities.BaseCopies`."""
        return self.hypervisor.base_copies()

    def drop_unused_bases(self) -> tuple[str, ...]:
        """Remove unneeded copies; see `abilities.BaseCopies`."""
        return self.hypervisor.drop_unused_bases()

    def status(self, names: Sequence[str] | None = None) -> dict[str, MachineStatus]:
        """List our machines, or the named ones, without asking Vagrant.

        Raises:
            HostError, ProviderError: the hypervisor cannot be asked.
        """
        known = {self._sandbox_name(vm): vm for vm in self.hypervisor.vms().values()}
        if names is None:
            names = sorted(name for name, vm in known.items() if self._is_ours(name, vm))
        return {name: self._status(name, known.get(name)) for name in names}

    def ssh_endpoint(self, name: str) -> SshEndpoint:
        """Return the machine's port on 127.0.0.1; the host keys come from the VM's serial console.

        Raises:
            ProviderError: it does not run, or its host key is not known.
        """
        folder, record, vm = self._ours(name)
        if vm.power is not Power.RUNNING:
            raise ProviderError(
                f"{name} does not run: it is {vm.power}",
                details=vm.detail,
                hint=f"sandbox start {name}",
            )
        keys = folder.host_keys() or learn_host_keys(self.hypervisor, record, folder)
        return SshEndpoint(LOGIN_USER, "127.0.0.1", record.ssh_port, keys)

    def save_snapshot(self, name: str, snapshot: str, listener: Listener) -> None:
        """Keep its disk as it is now.

        Raises:
            ProviderError: no such machine, or it has a snapshot of that name.
        """
        _, _, vm = self._ours(name)
        if any(one.name == snapshot for one in self.hypervisor.snapshots(vm)):
            raise has_already(name, snapshot)
        listener(StepOutput(name, f"saving {snapshot}"))
        self.hypervisor.save_snapshot(vm, snapshot)

    def restore_snapshot(self, name: str, snapshot: str, listener: Listener) -> None:
        """Take its disk back to `snapshot`; running again at the end if it ran before.

        Raises:
            ProviderError: no such machine or snapshot.
        """
        folder, record, vm = self._ours(name)
        require_snapshot(self.hypervisor.snapshots(vm), name, snapshot)
        listener(StepOutput(name, f"going back to {snapshot}"))
        self.hypervisor.restore_snapshot(vm, snapshot)
        if vm.power is not Power.RUNNING:
            return
        patience_s = boot_timeout_s(record, slow=self.hypervisor.host_facts(record, folder).slow)
        if not wait_for_sshd(record, folder, timeout_s=patience_s):
            raise ProviderError(
                f"{name} does not answer by ssh after going back to {snapshot}",
                hint=f"sandbox stop {name}; sandbox start {name}",
            )
        # A machine that resumes from its memory still has the time of back then
        set_clock(folder.path, self.ssh_endpoint(name), name, listener, patience_s)

    def exec_as_root(
        self,
        name: str,
        argv: Sequence[str],
        *,
        timeout_s: float,
        stdin: str | bytes | None = None,
        log: Path | None = None,
        on_line: Callable[[str], None] | None = None,
        check: bool = True,
    ) -> Completed:
        """Run `argv` in the running machine as root, in `/root`; by ssh and sudo.

        Raises:
            ProviderError: it does not run, or (with `check`) the command failed or took too long.
        """
        folder, record, _ = self._ours(name)
        return run_over_ssh_as_root(
            folder.path,
            self.ssh_endpoint(name),
            argv,
            timeout_s=timeout_s,
            stdin=stdin,
            log=log,
            on_line=on_line,
            check=check,
            connect_timeout_s=record.ssh_timeout_s,
        )

    def snapshots(self, name: str) -> tuple[Snapshot, ...]:
        """List the machine's snapshots, the oldest first.

        Raises:
            ProviderError: no such machine.
        """
        return self.hypervisor.snapshots(self._ours(name)[2])

    def delete_snapshot(self, name: str, snapshot: str) -> None:
        """Forget `snapshot`.

        Raises:
            ProviderError: no such machine or snapshot.
        """
        _, _, vm = self._ours(name)
        require_snapshot(self.hypervisor.snapshots(vm), name, snapshot)
        self.hypervisor.delete_snapshot(vm, snapshot)

    def _folder(self, name: str) -> VmFolder:
        return VmFolder(self.instances / name)

    def _readable(self, folder: VmFolder) -> VmRecord | None:
        # A damaged record must not keep its machine alive: then the VM's own note counts
        with suppress(ProviderError):
            return folder.read()
        return None

    def _vm(self, name: str) -> Vm | None:
        return self.hypervisor.vms().get(f"{self.hypervisor.prefix}-{name}")

    def _sandbox_name(self, vm: Vm) -> str:
        return vm.name.removeprefix(f"{self.hypervisor.prefix}-")

    def _is_ours(self, name: str, vm: Vm) -> bool:
        return is_our_vm(vm, self._readable(self._folder(name)))

    def _ours(self, name: str) -> tuple[VmFolder, VmRecord, Vm]:
        folder = self._folder(name)
        record, vm = folder.read(), self._vm(name)
        refuse_foreign_vm(vm, record)
        if vm is None or record is None:
            raise ProviderError(f"there is no machine {name}", hint=f"sandbox up --name {name}")
        return folder, record, vm

    def _status(self, name: str, vm: Vm | None) -> MachineStatus:
        if vm is None:
            return MachineStatus(name, Power.ABSENT)
        record = self._readable(self._folder(name))
        if not is_our_vm(vm, record):
            detail = "a VM of that name is there, but this `sandbox` did not make it"
            return MachineStatus(name, Power.ABSENT, detail=detail)
        labels = record.labels if record else tuple((read_note(vm.note) or {}).items())
        running = vm.power is Power.RUNNING
        return MachineStatus(
            name=name,
            power=vm.power,
            detail=vm.detail,
            labels=tuple(sorted(labels)),
            forwarded=record.forwarded if record is not None and running else (),
            emulated=record is not None and self.hypervisor.emulates(record),
        )

    def _mend(self, vm: Vm, name: str, listener: Listener) -> Vm:
        """Resume a paused VM; switch a stuck or crashed one off, so that it can be started."""
        if vm.power is Power.PAUSED:
            with suppress(ProviderError):
                self.hypervisor.resume(vm)
                listener(Notice(name, "the machine was paused: it goes on"))
                return self._vm(name) or vm
        listener(Notice(name, f"the machine was {vm.detail}: it is switched off and started"))
        self.hypervisor.power_off(vm)
        return self._vm(name) or vm

    def _with_free_ports(self, folder: VmFolder, record: VmRecord, listener: Listener) -> VmRecord:
        """Choose new ports for those that another program took while the machine was off."""
        changed = PortBook(self.instances).renew(folder, record)
        if changed != record:
            text = ", ".join(f"{guest} is 127.0.0.1:{host}" for guest, host in changed.forwarded)
            listener(Notice(record.name, f"a port was taken by another program; now {text}"))
        return changed

    def _cli(self, folder: VmFolder, record: VmRecord, listener: Listener) -> VagrantCli:
        return VagrantCli(
            folder.path, record.provider, log=folder.log, listener=listener, sandbox=record.name
        )

    def _up(self, folder: VmFolder, record: VmRecord, listener: Listener) -> None:
        """Render the files, let Vagrant start the VM, and read its host keys."""
        facts = self.hypervisor.host_facts(record, folder)
        folder.write_vagrantfile(record, facts)
        self._point_vagrant(folder, record)
        cli = self._cli(folder, record, listener)
        patience_s = boot_timeout_s(record, slow=facts.slow)
        cli.bring_up(timeout_s=_IMPORT_S + patience_s)
        folder.write_host_keys(learn_host_keys(self.hypervisor, record, folder))
        if record.settled:
            return
        # A baked image has only our own account
        if not is_baked_name(record.image):
            # From now on our own account is used; the account that everybody knows is removed
            folder.write_vagrantfile(record, facts)
            way_in = self.ssh_endpoint(record.name)
            retire_boxs_account(folder.path, way_in, timeout_s=patience_s)
        folder.write(record.model_copy(update={"settled": True}))

    def _point_vagrant(self, folder: VmFolder, record: VmRecord) -> None:
        """Make Vagrant's own notes again from what there is: a stale `.vagrant` cannot do harm."""
        vm = self._vm(record.name)
        if vm is None:
            shutil.rmtree(folder.path / ".vagrant", ignore_errors=True)
            return
        path = folder.id_path(record)
        private_folder(path.parent, folder.path)
        if not path.is_file() or path.read_bytes() != vm.uuid.encode():
            write_whole(path, vm.uuid)

    def _clear(self, folder: VmFolder, record: VmRecord, vm: Vm | None) -> None:
        """Remove Vagrant's and the hypervisor's traces; the workflows remove the folder itself."""
        self.hypervisor.clear(record, vm)
        shutil.rmtree(folder.path / ".vagrant", ignore_errors=True)
        folder.host_keys_path.unlink(missing_ok=True)
