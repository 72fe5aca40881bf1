"""The state of this host, read in one go without changing anything; others decide by it."""

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.errors import HostError
from sandbox.host.kernel_limits import KernelLimits, gather_limits
from sandbox.host.privilege import invoking_user
from sandbox.host.system import Distribution, parse_os_release

KEYRINGS = (
    Path("/usr/share/keyrings/debian-archive-keyring.gpg"),
    Path("/usr/share/keyrings/debian-archive-keyring.pgp"),
)

_COMMANDS = ("apt-get", "mmdebstrap", "ssh-keygen")
# A user's PATH often lacks them
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"
_GIB = 1024**3
_MIN_PARTS = 2


@dataclass(frozen=True, kw_only=True)
class HostFacts:
    """This host: the facts that every provider's setup needs."""

    distribution: Distribution
    is_root: bool
    user: str | None
    """The person who shall get the right to use a provider; None when that is root."""
    systemd: bool
    commands: frozenset[str]
    """The programs that were looked for and are there."""
    debian_keyring: bool
    cpus: int
    memory_mb: int
    kernel: KernelLimits = field(default_factory=KernelLimits)


def gather_host(*commands: str) -> HostFacts:
    """Look at this host, and for these programs in addition to those that every provider needs.

    Raises:
        HostError: this is not Linux, or /proc is missing.
    """
    try:
        release = Path("/etc/os-release").read_text(encoding="utf-8", errors="replace")
        memory = Path("/proc/meminfo").read_text(encoding="utf-8")
    except OSError as error:
        raise HostError(
            "sandbox drives Incus and libvirt on Linux only",
            details=str(error),
            hint="use a Linux machine",
        ) from error
    return HostFacts(
        distribution=parse_os_release(release),
        is_root=os.geteuid() == 0,
        user=invoking_user(),
        systemd=Path("/run/systemd/system").is_dir(),
        commands=frozenset(name for name in (*_COMMANDS, *commands) if find_command(name)),
        debian_keyring=any(path.exists() for path in KEYRINGS),
        cpus=len(os.sched_getaffinity(0)),
        memory_mb=_memory_mb(memory),
        kernel=gather_limits(),
    )


def free_memory_mb() -> int:
    """Return the memory that programs can still have without swapping, in MB.

    Raises:
        HostError: /proc is missing.
    """
    try:
        return _memory_mb(Path("/proc/meminfo").read_text(encoding="utf-8"), "MemAvailable:")
    except OSError as error:
        raise HostError("cannot read this host's memory", details=str(error)) from error


def find_command(name: str) -> str | None:
    """Find the program `name`, also in folders that only root has in its PATH."""
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:{_SBIN}")


def free_gb(path: Path) -> float:
    """Return the free space, in GiB, on the file system that `path` is or would be on."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free / _GIB


def _memory_mb(meminfo: str, key: str = "MemTotal:") -> int:
    for line in meminfo.splitlines():
        parts = line.split()
        if len(parts) >= _MIN_PARTS and parts[0] == key:
            return int(parts[1]) // 1024
    raise HostError("cannot read this host's memory from /proc/meminfo")
