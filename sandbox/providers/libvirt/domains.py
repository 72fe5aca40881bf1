"""Our domains in libvirt."""

import re
from typing import Final

from sandbox.providers.engine import Power
from sandbox.providers.libvirt.virsh import Virsh
from sandbox.providers.sealing import IMAGE_PREFIX
from sandbox.providers.vagrant.vm import Vm

URI: Final = "qemu:///system"

_POWER: Final = {
    "running": Power.RUNNING,
    "in shutdown": Power.RUNNING,
    "shut off": Power.STOPPED,
    "paused": Power.PAUSED,
}


def list_domains(virsh: Virsh, prefix: str) -> dict[str, Vm]:
    """List all domains with a name that begins with our prefix."""
    uuids, states = _list(virsh, prefix)
    notes = virsh.descriptions(list(uuids.values()))
    if len(notes) < len(uuids):
        # A domain without a description, or one that is gone by now, has no entry
        left, states = _list(virsh, prefix)
        uuids = {one: uuid for one, uuid in left.items() if uuids.get(one) == uuid}
    return {
        one: Vm(
            name=one,
            uuid=uuid,
            power=_POWER.get(states[one], Power.BROKEN),
            detail=states[one],
            note=notes.get(uuid, ""),
        )
        for one, uuid in uuids.items()
    }


def _list(virsh: Virsh, prefix: str) -> tuple[dict[str, str], dict[str, str]]:
    """The ids and the states of the machines, by name."""
    said = virsh("list --all; echo ==; list --all --uuid --name").stdout
    # virsh's echo ends no line
    table, _, pairs = said.partition("==")
    # Baked images are domains too, but not machines
    name = rf"{re.escape(prefix)}-(?!{IMAGE_PREFIX})\S+"
    uuids = {
        found[2]: found[1]
        for found in re.finditer(rf"^\s*([0-9a-f-]{{36}})\s+({name})\s*$", pairs, re.MULTILINE)
    }
    states = dict(re.findall(rf"^\s*\S+\s+({name})\s+(\S.*?)\s*$", table, re.MULTILINE))
    known = {one: uuids[one] for one in states if one in uuids}
    return known, states
