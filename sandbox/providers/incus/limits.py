"""The most that this host can give to sandboxes in Incus, to refuse plans that ask for more."""

from sandbox.errors import SandboxError
from sandbox.host.facts import free_gb, gather_host
from sandbox.plan import HostLimits
from sandbox.providers.incus.host_facts import INCUS_DIR
from sandbox.providers.incus.place import IncusPlace
from sandbox.providers.incus.server import free_in_pool


def incus_limits(place: IncusPlace) -> HostLimits | None:
    """Measure this host's processors, memory, and free disk space for sandboxes.

    None where Incus runs elsewhere. The free space of our pool counts, too, once it is set up.

    Raises:
        HostError: this host cannot be read.
    """
    if not place.is_local:
        return None
    host = gather_host()
    free = free_gb(INCUS_DIR)
    try:
        in_pool = free_in_pool(place)
    except SandboxError:
        # Not set up yet: only the disk's free space is known
        in_pool = None
    free = min(free, in_pool) if in_pool is not None else free
    return HostLimits(cpus=host.cpus, memory_mb=host.memory_mb, free_disk_gb=int(free))
