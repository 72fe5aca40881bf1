"""The commands that checks advise: each can be copied as it stands, and mends what it stands under.

`sandbox up` runs the playbooks again after a check that failed. They put back what is theirs: a
package, a file of the box's, a service. They take nothing away that somebody added: `reset` does.
"""

import shlex
from collections.abc import Iterable

from sandbox.placement import Placement


def up_command(placement: Placement) -> str:
    """Return the command that mends what the playbooks put back."""
    return f"sandbox up {placement.name}"


def reset_command(placement: Placement) -> str:
    """Return the command that takes back what was added or changed by hand, next to the playbooks.

    What it goes back to may be older than the box is now: `up` brings it forward, and checks it.
    """
    command = f"sandbox reset {placement.name} && {up_command(placement)}"
    return f"{command} (takes back all that was done in it since its checks last passed)"


def restart_command(placement: Placement) -> str:
    """Return the command for a machine that does not come up as it should."""
    return f"sandbox stop {placement.name} && sandbox start {placement.name}"


def make_again(placement: Placement) -> str:
    """Return the command that changes what a machine is made with: its system, its size."""
    size = placement.plan.machine
    box = shlex.quote(str(placement.plan.box_path))
    return (
        f"sandbox destroy {placement.name} && sandbox up {box} --name {placement.name}"
        f" --cpus {size.cpus} --memory-mb {size.memory_mb} --disk-gb {size.disk_gb}"
    )


def as_root(placement: Placement, *words: str) -> str:
    """Return the command that runs `words` as root in the machine."""
    return f"sandbox exec {placement.name} -- sudo {shlex.join(words)}"


def each_as_root(placement: Placement, commands: Iterable[tuple[str, ...]]) -> str:
    """Return one command that runs several as root, one after the other; empty without any."""
    match tuple(commands):
        case ():
            return ""
        case (only,):
            return as_root(placement, *only)
        case several:
            return as_root(placement, "sh", "-c", "; ".join(map(shlex.join, several)))
