"""Reaching a VM before the workflows do: is its sshd there, and what time does it think it is."""

import time
from datetime import UTC, datetime
from typing import Final

from sandbox.engines.vagrant_files import VmFolder, VmRecord
from sandbox.engines.vagrant_ports import port_speaks_ssh
from sandbox.errors import CommandError
from sandbox.events import Listener, Notice
from sandbox.render import LOGIN_USER
from sandbox.run import run

_TRY_S: Final = 5.0


def wait_for_sshd(record: VmRecord, folder: VmFolder, *, timeout_s: float) -> bool:
    """Whether the VM's sshd answers within `timeout_s`, and its host keys are known."""
    if not folder.host_keys():
        return False
    deadline = time.monotonic() + timeout_s
    while not port_speaks_ssh(record.ssh_port, timeout_s=_TRY_S):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def set_clock(record: VmRecord, folder: VmFolder, listener: Listener) -> None:
    """Give the VM this host's time; a warning when it cannot be set."""
    known_hosts = folder.path / ".clock_known_hosts"
    known_hosts.write_text("".join(f"{record.name} {key}\n" for key in folder.host_keys()))
    now = datetime.now(UTC).strftime("@%s")
    argv = (
        *("ssh", "-F", "none", "-p", str(record.ssh_port), "-l", LOGIN_USER),
        *("-i", str(folder.path / "id_ed25519"), "-o", "IdentitiesOnly=yes"),
        *("-o", f"UserKnownHostsFile={known_hosts}", "-o", f"HostKeyAlias={record.name}"),
        *("-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", "-o", "ConnectTimeout=60"),
        *("--", "127.0.0.1", f"sudo -n date --utc --set={now} >/dev/null"),
    )
    try:
        run(argv, timeout_s=120)
    except CommandError as error:
        text = f"the machine's clock could not be set: {error.details or error.message}"
        listener(Notice(record.name, text))
    finally:
        known_hosts.unlink(missing_ok=True)
