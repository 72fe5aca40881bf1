"""The Vagrant engine, which also keeps proven machines as images (`abilities.Baking`).

The machine itself is not touched. A copy of its disk resumes from the memory of the snapshot, cut
off from everything but our own ssh; there every process but ours is stopped, and the seal runs.
"""

import secrets
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Final, Protocol

from sandbox.errors import ProviderError
from sandbox.events import Listener, StepOutput
from sandbox.providers.abilities import BakedImage
from sandbox.providers.engine import SshEndpoint, patient
from sandbox.providers.sealing import IMAGE_PREFIX, OVERWRITE, REST, SEAL, STAND_STILL
from sandbox.providers.vagrant.baked_note import Draft
from sandbox.providers.vagrant.engine import VagrantEngine
from sandbox.providers.vagrant.files import INSECURE_KEY, SSH, VmFolder, VmRecord, boot_timeout_s
from sandbox.providers.vagrant.hypervisor import Hypervisor, hypervisor_lock, require_snapshot
from sandbox.providers.vagrant.ports import choose_ports
from sandbox.providers.vagrant.ssh import run_over_ssh_as_root
from sandbox.providers.vagrant.vm import Vm
from sandbox.render import LOGIN_USER

_SEAL_S: Final = 300.0

_FIRST_LOGIN: Final = r"""
# Whoever makes a machine of it comes in as into any base image; login.sh puts its own key there
home=$(getent passwd "$login" | cut -d: -f6) group=$(id -g "$login")
install -d -m 0700 -o "$login" -g "$group" "$home/.ssh"
printf '%s\n' '@KEY@' > "$home/.ssh/authorized_keys"
chown "$login:$group" "$home/.ssh/authorized_keys"
chmod 0600 "$home/.ssh/authorized_keys"

# A base image that is not ours may have no unit that makes host keys where there are none
if ! grep -rqs ssh-keygen /etc/systemd/system; then
  install -d /etc/systemd/system/ssh.service.d
  printf '[Service]\nExecStartPre=\nExecStartPre=/usr/bin/ssh-keygen -A\nExecStartPre=%s\n' \
    '/usr/sbin/sshd -t' > /etc/systemd/system/ssh.service.d/sandbox-host-keys.conf
fi
""".replace("@KEY@", INSECURE_KEY)


class VmImages(Protocol):
    """The images that a hypervisor keeps for us; see `abilities.Baking`."""

    @property
    def overwrites(self) -> bool:
        """Whether removed data in the copy must be overwritten to be gone."""
        ...

    def all(self, *, with_sizes: bool = False) -> tuple[BakedImage, ...]:
        """List all images, the newest first, also unfinished ones."""
        ...

    def copy(self, draft: Draft, source: Vm, snapshot: str, port: int, scratch: Path) -> None:
        """Make an unfinished image that can be resumed; then `port` of 127.0.0.1 leads to its sshd.

        `scratch` is a folder for files that are gone at the end.
        """
        ...

    def woken(self, image: str) -> AbstractContextManager[None]:
        """Resume an image from its snapshot's memory; at the end it is switched off by force."""
        ...

    def finish(self, draft: Draft) -> BakedImage:
        """Keep the present disk, and call the image complete."""
        ...

    def delete(self, image: str) -> None:
        """Remove an image, finished or not; does nothing when it is gone.

        Raises:
            ProviderError: it is not a baked image of ours, or machines need it to run.
        """
        ...


class BakingHypervisor(Hypervisor, Protocol):
    """A hypervisor that keeps images."""

    @property
    def images(self) -> VmImages:
        """The images under our prefix."""
        ...


class BakingVagrantEngine(VagrantEngine):
    """Machines as VMs, and images of them."""

    hypervisor: BakingHypervisor
    clones_keep_disk_size = True

    def __init__(self, hypervisor: BakingHypervisor, instances: Path | None = None) -> None:
        super().__init__(hypervisor, instances)
        self.hypervisor = hypervisor

    def bake(
        self,
        name: str,
        snapshot: str,
        key: str,
        labels: tuple[tuple[str, str], ...],
        listener: Listener,
    ) -> BakedImage:
        """Keep the machine `name`, as it was at `snapshot`, as an image of `key`.

        Raises:
            HostError: no space left, or no port.
            ProviderError: no such machine or snapshot, or the provider failed; nothing is left.
        """
        folder, record, vm = self._ours(name)
        require_snapshot(self.hypervisor.snapshots(vm), name, snapshot)
        for old in self.baked_images():
            if old.key == key and not old.complete:
                self.delete_baked(old.image)
        images = self.hypervisor.images
        image = f"{IMAGE_PREFIX}{key}-{secrets.token_hex(3)}"
        draft = Draft(image, key, labels)
        try:
            port = choose_ports(image, (SSH,), ())[SSH]
            listener(StepOutput(name, "copying it"))
            images.copy(draft, vm, snapshot, port, folder.path)
            listener(StepOutput(name, "taking out what is its own"))
            with images.woken(image):
                self._seal(folder, record, port)
            return images.finish(draft)
        except BaseException:
            with suppress(ProviderError):
                self.delete_baked(image)
            raise

    def baked_images(self, *, with_sizes: bool = False) -> tuple[BakedImage, ...]:
        """List all baked images, the newest first, also unfinished ones; sizes take longer."""
        return self.hypervisor.images.all(with_sizes=with_sizes)

    def delete_baked(self, image: str) -> None:
        """Remove an image; does nothing when it is gone.

        Raises:
            ProviderError: it is not a baked image of ours, or machines need it to run.
        """
        with hypervisor_lock(self.provider):
            self.hypervisor.images.delete(image)

    def _seal(self, folder: VmFolder, record: VmRecord, port: int) -> None:
        emulated = self.hypervisor.emulates(record)
        # A machine that is slow to boot is slow in this, too
        patience_s = max(patient(_SEAL_S, emulated=emulated), boot_timeout_s(record, slow=emulated))
        run_over_ssh_as_root(
            folder.path,
            SshEndpoint(LOGIN_USER, "127.0.0.1", port, folder.host_keys()),
            ("sh", "-s", LOGIN_USER, record.name),
            timeout_s=patience_s,
            stdin=seal_script(overwrite=self.hypervisor.images.overwrites),
            connect_timeout_s=record.ssh_timeout_s,
        )


def seal_script(*, overwrite: bool = False) -> str:
    """Write the script to run in the copy as root, with the login account and the name."""
    first = OVERWRITE if overwrite else ""
    return "set -eu\n" + STAND_STILL + first + SEAL + _FIRST_LOGIN + REST
