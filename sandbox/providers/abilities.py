"""Abilities that only some engines have: protocols to test with `isinstance` before acting."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol, runtime_checkable

from sandbox.events import Listener
from sandbox.providers.engine import MachineSpec
from sandbox.run import Completed


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
class SharesKernel(Protocol):
    """Engines whose machines may be containers."""

    @property
    def shares_kernel(self) -> bool:
        """Whether the machines are containers of this host: what they write is in its memory."""
        ...


@runtime_checkable
class Isolation(Protocol):
    """Engines with machines on one network, where machines can be kept from each other."""

    def is_isolated(self, name: str) -> bool | None:
        """Tell whether the machine is kept from our other machines; None when that was never set.

        Raises:
            ProviderError: no such machine.
        """
        ...

    def isolate(self, name: str, *, isolated: bool) -> None:
        """Set whether our other machines reach the stopped machine; counts from the next start on.

        Raises:
            ProviderError: no such machine, or the provider failed.
        """
        ...


@dataclass(frozen=True)
class Snapshot:
    """A saved state of a machine's disk, to which the machine can go back."""

    name: str
    created_at: datetime


@runtime_checkable
class Previews(Protocol):
    """Engines that write files of their own into an instance's folder."""

    def preview(self, spec: MachineSpec) -> tuple[tuple[str, str], ...]:
        """Return the files' names and contents for `spec`, with examples for `create`'s choices."""
        ...


@runtime_checkable
class Snapshots(Protocol):
    """Engines that can take machines back to an earlier state.

    The same for each engine: `restore_snapshot` undoes everything written after the snapshot. A
    machine that ran runs again and its sshd answers; a stopped one stays stopped. The snapshot is
    kept, and so are later ones.
    """

    def save_snapshot(self, name: str, snapshot: str, listener: Listener) -> None:
        """Keep the machine's disk as it is now, under the name `snapshot`; it may be running.

        Raises:
            ProviderError: no such machine, or it has a snapshot of that name.
        """
        ...

    def restore_snapshot(self, name: str, snapshot: str, listener: Listener) -> None:
        """Take the machine's disk back to `snapshot`; a machine that ran runs again at the end.

        Raises:
            ProviderError: no such machine or snapshot.
        """
        ...

    def snapshots(self, name: str) -> tuple[Snapshot, ...]:
        """List the machine's snapshots, the oldest first.

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
    """Its name in the provider's own store, as in `MachineSpec.image`."""
    key: str
    """The hash of what it was baked from; two images of one key differ only in their age."""
    made_at: datetime
    complete: bool = True
    """False for a leftover of a bake that was cut off: it must never be used."""
    labels: tuple[tuple[str, str], ...] = ()
    size_bytes: int | None = None
    """Its own space on the disk; None when it was not asked for, or cannot be told."""
    machines: tuple[str, ...] = ()
    """Our machines that were made from it."""


@runtime_checkable
class Baking(Protocol):
    """Engines that keep provisioned machines, and make others from them by copy-on-write.

    `Engine.create` takes the name of a baked image for that of a base image. What belongs to one
    machine alone (host keys, machine id, hostname, authorized key, cookie keys, random seeds, logs,
    histories) is not in the image: each machine makes its own when it first starts.
    """

    @property
    def clones_keep_disk_size(self) -> bool:
        """Whether a disk cannot be made smaller than the disk it is made from."""
        ...

    def bake(
        self,
        name: str,
        snapshot: str,
        key: str,
        labels: tuple[tuple[str, str], ...],
        listener: Listener,
    ) -> BakedImage:
        """Keep the machine `name`, as it was at `snapshot`, as an image of `key`.

        The caller lets only one bake of a key run at a time. The image is whole before
        `baked_images` calls it complete; unfinished leftovers of earlier bakes are removed.

        Raises:
            ProviderError: no such machine or snapshot, or the provider failed; nothing is left.
        """
        ...

    def baked_images(self, *, with_sizes: bool = False) -> tuple[BakedImage, ...]:
        """List all baked images, the newest first, also unfinished ones; sizes take longer."""
        ...

    def delete_baked(self, image: str) -> None:
        """Remove an image; does nothing when it is gone.

        Raises:
            ProviderError: it is not a baked image of ours, or machines need it to run.
        """
        ...


@dataclass(frozen=True)
class BaseCopy:
    """A base image as a hypervisor keeps it for the disks that depend on it."""

    name: str
    """Its name in the hypervisor's own store."""
    size_bytes: int | None
    """Its space on the disk; None when that cannot be told."""
    machines: tuple[str, ...]
    """The machines with disks that depend on it; without any, nobody needs it."""


@runtime_checkable
class BaseCopies(Protocol):
    """Engines with a hypervisor that keeps its own copies of the base images in Vagrant's store."""

    def base_copies(self) -> tuple[BaseCopy, ...]:
        """List all copies of our base images.

        Raises:
            HostError, ProviderError: the hypervisor cannot be asked.
        """
        ...

    def drop_unused_bases(self) -> tuple[str, ...]:
        """Remove copies that no machine needs, and return their names.

        Raises:
            HostError, ProviderError: the hypervisor cannot be asked, or cannot remove one.
        """
        ...


@runtime_checkable
class RenewsLogin(Protocol):
    """Engines that can add a login key from outside, whatever the machine's own files say."""

    def renew_login(self, name: str, authorized_key: str, listener: Listener) -> None:
        """Let `authorized_key` log in to the running machine; other keys stay as they are.

        Raises:
            ProviderError: absent, not ours, or the account cannot be prepared.
        """
        ...


@runtime_checkable
class Settling(Protocol):
    """Engines for which the provider continues what a killed command began."""

    def is_busy(self, name: str) -> bool:
        """Tell whether the provider is changing the machine at the moment."""
        ...

    def settle(self, name: str) -> None:
        """Wait until the provider has finished.

        Raises:
            ProviderError: it does not finish.
        """
        ...


@runtime_checkable
class BaseTransfer(Protocol):
    """Engines that can give a base image as files, and take it back as the very same image."""

    def export_base(self, identity: str, folder: Path) -> tuple[Path, ...]:
        """Write the image into an empty folder; `import_base` wants the files in this order.

        Raises:
            HostError, ProviderError: it is not there, or there is no room.
        """
        ...

    def has_base(self, identity: str) -> bool:
        """Tell whether the image is there.

        Raises:
            HostError, ProviderError: the provider cannot be asked.
        """
        ...

    def import_base(self, identity: str, base: str, files: Sequence[Path]) -> None:
        """Take the image in, under a name of its own: no other box may start from it.

        Raises:
            HostError, ProviderError: the files are another image, or there is no room.
        """
        ...
