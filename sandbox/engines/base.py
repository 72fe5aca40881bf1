"""What the program may ask of an engine. Optional abilities are protocols of their own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from sandbox.errors import HostError
from sandbox.events import Listener
from sandbox.run import Completed

if TYPE_CHECKING:
    from sandbox.spec.models import VagrantOptions


class Power(StrEnum):
    """What a machine is doing, in one word that is the same for every provider."""

    ABSENT = "absent"
    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    PAUSED = "paused"
    """It stands still with all that it had in memory; `start` lets it go on."""
    BROKEN = "broken"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at on this host, and what to do about it."""

    ok: bool
    title: str
    """What was looked at: `the Incus daemon answers`."""
    detail: str = ""
    """What was found, in the tool's own words where it has some."""
    fix: str = ""
    """The command that mends it; empty when `ok`."""
    warning: bool = False
    """Not as it should be, but no reason to stop."""
    doubtful: bool = False
    """It may not be what anybody wants: nobody gets this provider by default, but whoever names it
    is warned and may try."""


@dataclass(frozen=True)
class HostReport:
    """Whether a provider is usable here, and why (not)."""

    provider: str
    findings: tuple[Finding, ...]

    @property
    def usable(self) -> bool:
        """True when nothing found stands in the way."""
        return all(finding.ok or finding.warning for finding in self.findings)

    @property
    def sound(self) -> bool:
        """True when it is usable and there is no doubt: good enough to be taken unasked."""
        return self.usable and not any(finding.doubtful for finding in self.findings)

    @property
    def possible(self) -> bool:
        """True when it is usable, or nothing but doubts stands in the way."""
        return all(item.ok or item.warning or item.doubtful for item in self.findings)


@dataclass(frozen=True)
class MachineSpec:
    """What an engine needs to know to create a machine."""

    name: str
    image: str
    """The base image in the provider's own store, as `images` returned it."""
    cpus: int
    memory_mb: int
    disk_gb: int
    authorized_key: str
    """The public key, one line, that may log in as `login_user`."""
    instance_dir: Path
    """The instance's folder, where an engine may keep files of its own."""
    labels: tuple[tuple[str, str], ...] = ()
    """Kept with the machine, so that it can be told whose it is: plan key, box."""
    forwarded_ports: tuple[int, ...] = ()
    """Ports of the machine that this host's people use; forwarded where there is no route to it."""
    options: "VagrantOptions | None" = None
    """What the box says for this provider alone."""
    isolated: bool = True
    """Other machines of ours do not reach it, where they share a network."""


EMULATION_FACTOR = 10.0
"""How much more time an emulated machine is given."""


def patient(timeout_s: float, *, emulated: bool) -> float:
    """How long to wait for what takes at most `timeout_s` on a real processor."""
    return timeout_s * EMULATION_FACTOR if emulated else timeout_s


def require_size(spec: MachineSpec, *, memory_mb: int, cpus: int) -> None:
    """Refuse what is larger than the host: hypervisors take any number, and fail later.

    Raises:
        HostError: the host has not so much memory or so many processors.
    """
    if spec.memory_mb > memory_mb:
        raise HostError(
            f"{spec.name} wants {spec.memory_mb} MB of memory, the host has {memory_mb} MB",
            hint="lower machine.memory_mb in the box, or pass --memory-mb",
        )
    if spec.cpus > cpus:
        raise HostError(
            f"{spec.name} wants {spec.cpus} processors, the host has {cpus}",
            hint="lower machine.cpus in the box, or pass --cpus",
        )


@dataclass(frozen=True)
class MachineStatus:
    """One machine as its provider sees it."""

    name: str
    power: Power
    address: str | None = None
    """An IPv4 address that this host can reach directly; None when there is no route."""
    detail: str = ""
    """The provider's own word, when it says more than `power`."""
    labels: tuple[tuple[str, str], ...] = ()
    forwarded: tuple[tuple[int, int], ...] = ()
    """The machine's port and the port on 127.0.0.1 that leads to it, for each that is forwarded."""
    emulated: bool = False
    """Whether its processor is emulated: right in all it does, and many times slower."""

    def patient(self, timeout_s: float) -> float:
        """How long to wait here for what takes at most `timeout_s` on a real processor."""
        return patient(timeout_s, emulated=self.emulated)

    def forwarded_to(self, port: int) -> int | None:
        """The port on 127.0.0.1 that leads to the machine's `port`; None when there is none."""
        return dict(self.forwarded).get(port)


@dataclass(frozen=True)
class SshEndpoint:
    """How to reach a machine by ssh; `workflows` writes it out as an ssh_config."""

    user: str
    host: str
    port: int
    host_keys: tuple[str, ...]
    """Public host keys (`ssh-ed25519 AAAA…`), read through the provider, not over the network."""
    proxy_command: tuple[str, ...] = field(default=())
    """An argv that connects stdin/stdout to the machine's sshd, when there is no route to it."""


class Engine(Protocol):
    """Creates, starts, stops and destroys machines of one provider. Every call can be repeated."""

    provider: str

    def check_host(self, *, brief: bool = False) -> HostReport:
        """Prove what is usable here; reads only, and takes less than two seconds.

        With `brief` it may leave out what takes long, once it has found that not all is well.
        """
        ...

    def create(self, spec: MachineSpec, listener: Listener) -> None:
        """Make the machine, stopped or running. Limits are really set. Does nothing if it is there.

        Raises:
            ProviderError: the provider refused; nothing half-made is left.
        """
        ...

    def start(self, name: str, listener: Listener) -> None:
        """Start it, or let it go on, and wait until its sshd can be reached.

        Of one that runs, sshd is brought back where that can be done without ssh.
        """
        ...

    def stop(self, name: str, *, timeout_s: float) -> None:
        """Shut it down, by force after `timeout_s`. Does nothing if it is stopped."""
        ...

    def destroy(self, name: str) -> None:
        """Remove it and all that is its own, whatever its state. Does nothing if it is absent."""
        ...

    def status(self, names: Sequence[str] | None = None) -> dict[str, MachineStatus]:
        """The machines of ours (or those named; absent ones are listed as absent), in one query."""
        ...

    def ssh_endpoint(self, name: str) -> SshEndpoint:
        """How to reach a running machine by ssh.

        Raises:
            ProviderError: it does not run, or its host key cannot be read.
        """
        ...


@runtime_checkable
class RootExec(Protocol):
    """Engines that can run a command as root in a machine before ssh works in it."""

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
        """Run `argv` in the running machine `name` as root, in `/root`.

        Raises:
            ProviderError: it does not run, or (with `check`) the command failed or took too long.
        """
        ...


@runtime_checkable
class Isolation(Protocol):
    """Engines whose machines share a network, on which they can be kept from each other."""

    def is_isolated(self, name: str) -> bool | None:
        """Whether it is kept from others of ours; None when nobody has said so yet.

        Raises:
            ProviderError: no such machine.
        """
        ...

    def isolate(self, name: str, *, isolated: bool) -> None:
        """Say whether others of ours reach the stopped machine; it holds from the next start on.

        Raises:
            ProviderError: no such machine, or the provider failed.
        """
        ...


@dataclass(frozen=True)
class Snapshot:
    """A state of a machine's disk that it can be taken back to."""

    name: str
    created_at: datetime


@runtime_checkable
class Previews(Protocol):
    """Engines that write files of their own into an instance's folder."""

    def preview(self, spec: MachineSpec) -> tuple[tuple[str, str], ...]:
        """Their names and contents for `spec`, with examples for what is chosen at `create`."""
        ...


@runtime_checkable
class Snapshots(Protocol):
    """Engines whose machines can be taken back to how they were.

    The same on each: what was written after the snapshot is gone after `restore_snapshot`; a
    machine that ran runs again and its sshd answers, one that was stopped stays stopped. The
    snapshot is kept, and so are those made after it.
    """

    def save_snapshot(self, name: str, snapshot: str, listener: Listener) -> None:
        """Keep the machine's disk as it is now, under the name `snapshot`; it may be running.

        Raises:
            ProviderError: no such machine, or it has a snapshot of that name.
        """
        ...

    def restore_snapshot(self, name: str, snapshot: str, listener: Listener) -> None:
        """Take the machine's disk back to `snapshot`; running again at the end if it ran before.

        Raises:
            ProviderError: no such machine or snapshot.
        """
        ...

    def snapshots(self, name: str) -> tuple[Snapshot, ...]:
        """The machine's snapshots, the oldest first.

        Raises:
            ProviderError: no such machine.
        """
        ...

    def delete_snapshot(self, name: str, snapshot: str) -> None:
        """Forget `snapshot`; the machine stays as it is.

        Raises:
            ProviderError: no such machine or snapshot.
        """
        ...


@dataclass(frozen=True)
class BakedImage:
    """A provisioned machine that is kept to make others from."""

    image: str
    """Its name in the provider's own store; what `MachineSpec.image` takes."""
    key: str
    """What it was baked from, as one word; two images of one key are alike but for their age."""
    made_at: datetime
    complete: bool = True
    """False for what a bake that was cut off has left: never to be used."""
    labels: tuple[tuple[str, str], ...] = ()
    size_bytes: int | None = None
    """What it takes on the disk by itself; None when it was not asked, or cannot be told."""
    machines: tuple[str, ...] = ()
    """The machines of ours that were made from it."""


@runtime_checkable
class Baking(Protocol):
    """Engines that keep provisioned machines, and make others from them by copy-on-write.

    `Engine.create` takes the name of a baked image for that of a base image. What belongs to one
    machine alone (host keys, machine id, hostname, authorized key, cookie keys, random seeds, logs,
    histories) is not in the image: each machine makes its own when it first starts.
    """

    def bake(
        self,
        name: str,
        snapshot: str,
        key: str,
        labels: tuple[tuple[str, str], ...],
        listener: Listener,
    ) -> BakedImage:
        """Keep the machine `name`, as it was at `snapshot`, as an image of `key`.

        The caller sees to it that there is one bake of a key at a time. The image is whole before
        `baked_images` calls it complete; what earlier bakes of the key left unfinished is removed.

        Raises:
            ProviderError: no such machine or snapshot, or the provider failed; nothing is left.
        """
        ...

    def baked_images(self, *, with_sizes: bool = False) -> tuple[BakedImage, ...]:
        """All there are, the newest first, also unfinished ones; sizes take longer to find out."""
        ...

    def delete_baked(self, image: str) -> None:
        """Remove an image; does nothing when it is gone.

        Raises:
            ProviderError: it is not a baked image of ours, or machines need it to run.
        """
        ...


@dataclass(frozen=True)
class BaseCopy:
    """A base image as a hypervisor keeps it for the disks that hang on it."""

    name: str
    """Its name in the hypervisor's own store."""
    size_bytes: int | None
    """What it takes on the disk; None when that cannot be told."""
    machines: tuple[str, ...]
    """The machines whose disks hang on it; without any it is of no use to anybody."""


@runtime_checkable
class BaseCopies(Protocol):
    """Engines whose hypervisor has copies of its own of the base images in Vagrant's store."""

    def base_copies(self) -> tuple[BaseCopy, ...]:
        """All of ours.

        Raises:
            HostError, ProviderError: the hypervisor cannot be asked.
        """
        ...

    def drop_unused_bases(self) -> tuple[str, ...]:
        """Remove those that no machine needs, and say which.

        Raises:
            HostError, ProviderError: the hypervisor cannot be asked, or cannot remove one.
        """
        ...
