"""Baked images of VirtualBox: VMs that nobody starts, from which linked clones are made.

An image is a VM `PREFIX-Baked-KEY-WORD`, a name that no sandbox can have, with a copy of the disk
and one snapshot. The VM has a note; changing the note to `complete` is the last step of a bake.
VirtualBox knows nothing of a copy that was cut off, but the folder of that copy is there.
"""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sandbox.errors import ProviderError
from sandbox.providers.abilities import BakedImage
from sandbox.providers.sealing import IMAGE_PREFIX
from sandbox.providers.vagrant.baked_note import Draft, Note, can_go, key_in, require_whole
from sandbox.providers.vagrant.vm import Vm
from sandbox.providers.virtualbox.disks import Disk, bytes_in, disks_in, machines_on
from sandbox.providers.virtualbox.vboxmanage import BASE_SNAPSHOT, COPY_S, NOTE_KEY, VBoxManage

_RULE: Final = "bake"


class VirtualBoxImages:
    """The baked images under one prefix. Who changes one holds `host_lock("virtualbox")`."""

    overwrites = True
    """A virtual disk keeps data that was removed on it, and VirtualBox copies that, too."""

    def __init__(self, manage: VBoxManage, prefix: str) -> None:
        self.manage = manage
        self.prefix = prefix

    def all(self, *, with_sizes: bool = False) -> tuple[BakedImage, ...]:
        """List all images, the newest first, also unfinished ones."""
        if shutil.which("VBoxManage") is None:
            # Nobody has ever made one here, and this is asked on every host
            return ()
        start = self._vm(IMAGE_PREFIX)
        root = self.manage.machine_folder()
        names = {*self.manage.names(start), *(path.name for path in root.glob(f"{start}*"))}
        images = [one.removeprefix(f"{self.prefix}-") for one in names]
        known = [one for one in images if key_in(one)]
        disks = self.manage.disks() if known else ()
        found = [self._look(image, root, disks, with_sizes=with_sizes) for image in known]
        return tuple(sorted(found, key=lambda image: image.made_at, reverse=True))

    def require(self, image: str) -> str:
        """Find the VM of a finished image.

        Raises:
            ProviderError: there is none of that name.
        """
        require_whole(image, self.all())
        return self._vm(image)

    def copy(self, draft: Draft, source: Vm, snapshot: str, port: int, scratch: Path) -> None:
        """Copy a VM: it resumes from the snapshot's memory, with a copy of the disk from then.

        It is reached only at `port` of 127.0.0.1, and reaches nothing beyond this host.

        Raises:
            ProviderError: the snapshot has no memory, or VirtualBox failed.
        """
        del scratch
        vm = self._vm(draft.name)
        # The memory knows its network card's address
        how = ("--mode", "machine", "--options", "keepallmacs", "--name", vm, "--register")
        words = ("clonevm", source.uuid, "--snapshot", snapshot)
        self.manage(*words, *how, timeout_s=COPY_S)
        # Before anything else: the copy has also copied the note of the machine's owner
        self.manage("setextradata", vm, NOTE_KEY, draft.note())
        info = self.manage.info(vm) or ""
        if 'VMState="saved"' not in info:
            raise ProviderError(
                "the snapshot was saved while the machine was off: it cannot be baked"
            )
        for rule in re.findall(r'^Forwarding\(\d+\)="([^",]+),', info, re.MULTILINE):
            self.manage("modifyvm", vm, "--natpf1", "delete", rule)
        forward = ("--natpf1", f"{_RULE},tcp,127.0.0.1,{port},,22")
        # Its packets leave from 127.0.0.1, and so go nowhere else
        alone = ("--natbindip1", "127.0.0.1")
        # The file of its console is still the one of the machine
        self.manage("modifyvm", vm, *forward, *alone, "--uartmode1", "disconnected")

    @contextmanager
    def woken(self, image: str) -> Iterator[None]:
        """Resume an image from its snapshot's memory; at the end it is switched off by force."""
        vm = self._vm(image)
        self.manage("startvm", vm, "--type", "headless", timeout_s=COPY_S)
        try:
            yield
        finally:
            self.manage.power_off(vm)

    def finish(self, draft: Draft) -> BakedImage:
        """Keep the present disk, and call the image complete."""
        vm = self._vm(draft.name)
        self.manage("modifyvm", vm, "--natpf1", "delete", _RULE, "--natbindip1", "")
        self.manage("snapshot", vm, "take", BASE_SNAPSHOT, timeout_s=COPY_S)
        made_at = datetime.now(UTC)
        self.manage("setextradata", vm, NOTE_KEY, draft.note(made_at))
        return draft.finished(made_at)

    def delete(self, image: str) -> None:
        """Remove an image, finished or not; does nothing when it is gone.

        Raises:
            ProviderError: it is not a baked image of ours, or machines need it to run.
        """
        if not can_go(image, self.all):
            return
        vm = self._vm(image)
        self.manage.unregister(vm)
        self.manage.clear_leftovers(vm)

    def _look(
        self, image: str, root: Path, disks: tuple[Disk, ...], *, with_sizes: bool
    ) -> BakedImage:
        vm = self._vm(image)
        folder = root / vm
        note = Note.read(self.manage.extradata(vm, NOTE_KEY)) or Note(key_in(image) or "", None, ())
        own = disks_in(folder, disks)
        return note.image(
            image,
            # Somebody may have removed a file: VirtualBox would not know of it yet
            there=own != () and all(disk.path.exists() for disk in own),
            size_bytes=bytes_in(folder) if with_sizes else None,
            machines=machines_on(folder, disks, prefix=f"{self.prefix}-"),
        )

    def _vm(self, image: str) -> str:
        return f"{self.prefix}-{image}"
