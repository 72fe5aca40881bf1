"""The calls that every engine has, and their data. `abilities` has the calls of some engines."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from sandbox.errors import HostError
from sandbox.events import Listener
from sandbox.providers.findings import HostReport

if TYPE_CHECKING:
    from sandbox.spec.models import VagrantOptions


class NotHereError(HostError):
    """The provider does not run here, or is not set up: it has no machine of ours."""


class Power(StrEnum):
    """A machine's state, in one word that is the same for every provider."""

    ABSENT = "absent"
    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    PAUSED = "paused"
    """The machine stands still with all it had in memory; `start` resumes it."""
    BROKEN = "broken"


@dataclass(frozen=True)
class MachineSpec:
    """All that an engine needs to know to create a machine."""

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
    """Kept with the machine, so that its owner is known: plan key, box."""
    forwarded_ports: tuple[int, ...] = ()
    """Ports of the machine for people on this host; forwarded where there is no route to it."""
    options: "VagrantOptions | None" = None
    """The box's settings for this provider."""
    isolated: bool = True
    """Keep our other machines from reaching this one, where they share a network."""


EMULATION_FACTOR = 10.0
"""How much more time an emulated machine gets."""


def patient(timeout_s: float, *, emulated: bool) -> float:
    """Return how long to wait for something that takes at most `timeout_s` on a real processor."""
    return timeout_s * EMULATION_FACTOR if emulated else timeout_s


def require_size(spec: MachineSpec, *, memory_mb: int, cpus: int) -> None:
    """Refuse a machine larger than the host: hypervisors take any number, and fail later.

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
    """The provider's own word for the state, when it says more than `power`."""
    labels: tuple[tuple[str, str], ...] = ()
    forwarded: tuple[tuple[int, int], ...] = ()
    """Each forwarded port of the machine, and the port on 127.0.0.1 that leads to it."""
    emulated: bool = False
    """Whether its processor is emulated: correct, but many times slower."""

    def patient(self, timeout_s: float) -> float:
        """Return how long to wait here for work of at most `timeout_s` on a real processor."""
        return patient(timeout_s, emulated=self.emulated)

    def forwarded_to(self, port: int) -> int | None:
        """Return the port on 127.0.0.1 that leads to the machine's `port`; None without one."""
        return dict(self.forwarded).get(port)


@dataclass(frozen=True)
class SshEndpoint:
    """How to reach a machine by ssh; written out later as an ssh_config."""

    user: str
    host: str
    port: int
    host_keys: tuple[str, ...]
    """Public host keys (`ssh-ed25519 AAAA…`), read through the provider, not over the network."""
    proxy_command: tuple[str, ...] = field(default=())
    """An argv that connects stdin/stdout to the machine's sshd, when there is no route."""


class Engine(Protocol):
    """Creates, starts, stops and destroys machines of one provider. Every call can be repeated."""

    provider: str

    def check_host(self, *, brief: bool = False) -> HostReport:
        """Prove what is usable here; reads only, and takes less than two seconds.

        With `brief` it may skip slow questions, once it has found that not all is well.
        """
        ...

    def create(self, spec: MachineSpec, listener: Listener) -> None:
        """Make the machine, stopped or running, with its limits. Does nothing if it is there.

        Raises:
            ProviderError: the provider refused; nothing half-made is left.
        """
        ...

    def start(self, name: str, listener: Listener) -> None:
        """Start or resume the machine, and wait until its sshd can be reached.

        In a machine that runs, sshd is brought back where that can be done without ssh.
        """
        ...

    def stop(self, name: str, *, timeout_s: float) -> None:
        """Shut the machine down, by force after `timeout_s`. Does nothing if it is stopped."""
        ...

    def destroy(self, name: str) -> None:
        """Remove the machine and all its things, in any state. Does nothing if it is absent."""
        ...

    def status(self, names: Sequence[str] | None = None) -> dict[str, MachineStatus]:
        """List our machines in one query: all, or those named, with absent ones as absent."""
        ...

    def ssh_endpoint(self, name: str) -> SshEndpoint:
        """Return the address of a running machine for ssh.

        Raises:
            ProviderError: it does not run, or its host key cannot be read.
        """
        ...
