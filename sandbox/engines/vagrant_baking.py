"""The Vagrant engine on libvirt, which also keeps proven machines as images (`base.Baking`).

The machine itself is not touched. A copy of its disk goes on from the memory of the snapshot, cut
off from everything but our own ssh; there every process but ours is stopped, and the seal runs.
"""

import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

from sandbox.engines.base import BakedImage, SshEndpoint, patient
from sandbox.engines.sealing import IMAGE_PREFIX, REST, SEAL, STAND_STILL
from sandbox.engines.vagrant import VagrantEngine
from sandbox.engines.vagrant_files import INSECURE_KEY, SSH, VmFolder, VmRecord
from sandbox.engines.vagrant_libvirt import Libvirt
from sandbox.engines.vagrant_ports import choose_ports
from sandbox.engines.vagrant_reach import run_as_root
from sandbox.engines.vagrant_vms import host_lock, require_snapshot
from sandbox.errors import ProviderError
from sandbox.events import Listener, StepOutput
from sandbox.render import LOGIN_USER

_SEAL_S: Final = 300.0
_COPY_NAME: Final = "bake.qcow2"
"""In the instance's folder, while a disk is copied."""

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


class BakingVagrantEngine(VagrantEngine):
    """Machines as VMs of libvirt, and images of them."""

    hypervisor: Libvirt

    def __init__(self, hypervisor: Libvirt, instances: Path | None = None) -> None:
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
            ProviderError: no such machine or snapshot, or libvirt failed; nothing is left.
        """
        folder, record, vm = self._ours(name)
        require_snapshot(self.hypervisor.snapshots(vm), name, snapshot)
        for old in self.baked_images():
            if old.key == key and not old.complete:
                self.delete_baked(old.image)
        images = self.hypervisor.images
        image = f"{IMAGE_PREFIX}{key}-{secrets.token_hex(3)}"
        try:
            port = choose_ports(image, (SSH,), ())[SSH]
            listener(StepOutput(name, "copying it"))
            images.begin(image, key, labels, self.hypervisor.snapshot_xml(vm, snapshot), port)
            images.copy_disk(f"{record.vm_name}.img", image, folder.path / _COPY_NAME)
            listener(StepOutput(name, "taking out what is its own"))
            with images.woken(image):
                self._seal(folder, record, port)
            return images.finish(image, key, labels)
        except BaseException:
            with suppress(ProviderError):
                self.delete_baked(image)
            raise

    def baked_images(self, *, with_sizes: bool = False) -> tuple[BakedImage, ...]:
        """All there are, the newest first, also unfinished ones; sizes cost nothing here."""
        del with_sizes
        return self.hypervisor.images.all()

    def delete_baked(self, image: str) -> None:
        """Remove an image; does nothing when it is gone.

        Raises:
            ProviderError: it is not a baked image of ours, or machines need it to run.
        """
        with host_lock("libvirt"):
            self.hypervisor.images.delete(image)

    def _seal(self, folder: VmFolder, record: VmRecord, port: int) -> None:
        run_as_root(
            folder.path,
            SshEndpoint(LOGIN_USER, "127.0.0.1", port, folder.host_keys()),
            ("sh", "-s", LOGIN_USER, record.name),
            timeout_s=patient(_SEAL_S, emulated=self.hypervisor.emulates(record)),
            stdin=seal_script(),
            connect_timeout_s=record.ssh_timeout_s,
        )


def seal_script() -> str:
    """What runs in the copy, as root: arguments are the login account and the machine's name."""
    return "set -eu\n" + STAND_STILL + SEAL + _FIRST_LOGIN + REST
