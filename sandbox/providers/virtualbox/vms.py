"""Our VMs in VirtualBox."""

import re
from collections.abc import Iterator
from typing import Final

from sandbox.providers.engine import Power
from sandbox.providers.sealing import IMAGE_PREFIX
from sandbox.providers.vagrant.vm import Vm
from sandbox.providers.virtualbox.vboxmanage import NOTE_KEY, VBoxManage

_POWER: Final = {
    "running": Power.RUNNING,
    "powered off": Power.STOPPED,
    "aborted": Power.STOPPED,
    "saved": Power.STOPPED,
    "aborted-saved": Power.STOPPED,
    "paused": Power.PAUSED,
    "starting": Power.STARTING,
    "restoring": Power.STARTING,
}


def masters_of(prefix: str) -> str:
    """Return the prefix in the names of VMs that hold base images."""
    return f"{prefix}-base."


def list_vms(manage: VBoxManage, prefix: str) -> dict[str, Vm]:
    """List all VMs with a name that begins with our prefix, in one call."""
    said = manage.list("--long", "vms")
    # VMs from which machines are made
    no_machines = (masters_of(prefix), f"{prefix}-{IMAGE_PREFIX}")
    found = {}
    for name, text in _sections(said):
        if not name.startswith(f"{prefix}-") or name.startswith(no_machines):
            continue
        uuid = re.search(r"^UUID:\s+([0-9a-f-]{36})\s*$", text, re.MULTILINE)
        state = re.search(r"^State:\s+(.+?)(?: \(since .*\))?\s*$", text, re.MULTILINE)
        if uuid is None:
            continue
        word = state[1] if state else "inaccessible"
        power = _POWER.get(word, Power.BROKEN)
        found[name] = Vm(name, uuid[1], power, word, manage.extradata(uuid[1], NOTE_KEY))
    return found


def _sections(said: str) -> Iterator[tuple[str, str]]:
    """`list --long vms` cut into its VMs; a shared folder's `Name:` has no UUID after it."""
    starts = list(re.finditer(r"^Name:\s+(\S.*?)\s*$(?=(?:\n.*){1,4}\nUUID:)", said, re.MULTILINE))
    ends = [*(one.start() for one in starts), len(said)][1:]
    for start, end in zip(starts, ends, strict=True):
        yield start[1], said[start.start() : end]
