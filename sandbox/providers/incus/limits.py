"""What this host can give to sandboxes, for plans that ask for too much."""

import os
from pathlib import Path

from sandbox.errors import SandboxError
from sandbox.host.facts import INCUS_DIR, free_gb, gather
from sandbox.plan import HostLimits
from sandbox.providers.incus.place import IncusPlace
from sandbox.providers.incus.server import ask


def host_limits(place: IncusPlace | None = None) -> HostLimits:
    """This host's processors, memory, and the disk space that is free for sandboxes.

    Args:
        place: when given and set up, the free space of its pool counts too.

    Raises:
        HostError: this host cannot be read.
    """
    host = gather()
    free = free_gb(INCUS_DIR)
    if place is not None:
        try:
            in_pool = ask(place).pool_free_gb
        except SandboxError:
            # Not set up yet: what the disk has is all that can be said
            in_pool = None
        free = min(free, in_pool) if in_pool is not None else free
    return HostLimits(cpus=host.cpus, memory_mb=host.memory_mb, free_disk_gb=int(free))


def virtualbox_limits() -> HostLimits:
    """What there is for VirtualBox's machines; asks only what every system answers."""
    memory_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1024**2
    free = free_gb(Path.home())
    return HostLimits(cpus=os.cpu_count() or 1, memory_mb=memory_mb, free_disk_gb=int(free))
