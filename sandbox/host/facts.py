"""What this host is, read in one go and without changing anything. Decided is elsewhere."""

import grp
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.errors import CommandError, HostError
from sandbox.host.kernel_limits import KernelLimits, gather_limits
from sandbox.host.privilege import invoking_user
from sandbox.host.system import Distribution, parse_os_release
from sandbox.run import run

INCUS_GROUP = "incus-admin"
MEANING = (
    f"members of the group {INCUS_GROUP} are as good as root on this host, as they can put any of "
    "its folders into a machine"
)
"""What membership means; said whenever somebody is to become a member."""
INCUS_DIR = Path("/var/lib/incus")
LXC_TEMPLATES = Path("/usr/share/lxc/config")
KEYRINGS = (
    Path("/usr/share/keyrings/debian-archive-keyring.gpg"),
    Path("/usr/share/keyrings/debian-archive-keyring.pgp"),
)

_COMMANDS = (
    "apt-get",
    "btrfs",
    "dnsmasq",
    "docker",
    "incus",
    "iptables",
    "mmdebstrap",
    "nft",
    "ssh-keygen",
    "zstd",
)
_INCUSD = (Path("/usr/libexec/incus/incusd"), Path("/opt/incus/bin/incusd"))
# A user's PATH often lacks them
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"
_GIB = 1024**3
_MIN_PARTS = 2


@dataclass(frozen=True)
class HostFacts:
    """This host, as far as running sandboxes on it is concerned."""

    distribution: Distribution
    is_root: bool
    user: str | None
    """The person to be given the right to use Incus; None when that is root."""
    in_group: bool
    """That person is a member of Incus's group."""
    in_group_now: bool
    """This very process has the group too (it may have to log in anew for that)."""
    systemd: bool
    commands: frozenset[str]
    incusd: Path | None
    debian_keyring: bool
    kernel_btrfs: bool
    loop_devices: bool
    cgroup: str
    """`v2`, `v1` or `hybrid`."""
    cpu_virtualisation: bool
    """The processor offers vmx or svm, as /proc/cpuinfo tells."""
    kvm_device: bool
    cpus: int
    memory_mb: int
    free_disk_gb: float
    """Where Incus keeps its pools."""
    routes_json: str = "[]"
    addresses_json: str = "[]"
    kernel: KernelLimits = field(default_factory=KernelLimits)


def gather() -> HostFacts:
    """Look at this host. Takes about 0.1 s.

    Raises:
        HostError: this is not Linux, or /proc or `ip` are missing.
    """
    try:
        release = Path("/etc/os-release").read_text(encoding="utf-8", errors="replace")
        cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        filesystems = Path("/proc/filesystems").read_text(encoding="utf-8")
        memory = Path("/proc/meminfo").read_text(encoding="utf-8")
    except OSError as error:
        raise HostError(
            "sandbox drives Incus on Linux only", details=str(error), hint="use a Linux machine"
        ) from error
    user = invoking_user()
    words = set(cpuinfo.split())
    return HostFacts(
        distribution=parse_os_release(release),
        is_root=os.geteuid() == 0,
        user=user,
        in_group=user is not None and _is_member(user),
        in_group_now=_has_group(),
        systemd=Path("/run/systemd/system").is_dir(),
        commands=frozenset(name for name in _COMMANDS if find_command(name)),
        incusd=next((path for path in _INCUSD if path.exists()), None),
        debian_keyring=any(path.exists() for path in KEYRINGS),
        kernel_btrfs="btrfs" in filesystems.split() or _module_exists("btrfs"),
        loop_devices=Path("/dev/loop-control").exists() or Path("/dev/loop0").exists(),
        cgroup=_cgroup(),
        cpu_virtualisation=bool({"vmx", "svm"} & words),
        kvm_device=Path("/dev/kvm").exists(),
        cpus=len(os.sched_getaffinity(0)),
        memory_mb=_memory_mb(memory),
        free_disk_gb=free_gb(INCUS_DIR),
        routes_json=_ip("route", "show", "table", "all"),
        addresses_json=_ip("address"),
        kernel=gather_limits(),
    )


def find_command(name: str) -> str | None:
    """Where `name` is, also in the folders that only root has in its PATH."""
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:{_SBIN}")


def free_gb(path: Path) -> float:
    """Free space, in GiB, on the file system that `path` is or would be on."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free / _GIB


def _is_member(user: str) -> bool:
    try:
        return user in grp.getgrnam(INCUS_GROUP).gr_mem
    except KeyError:
        return False


def _has_group() -> bool:
    try:
        return grp.getgrnam(INCUS_GROUP).gr_gid in {*os.getgroups(), os.getegid()}
    except KeyError:
        return False


def _module_exists(name: str) -> bool:
    folder = Path("/lib/modules") / os.uname().release
    for listing in ("modules.builtin", "modules.dep"):
        try:
            if f"/{name}.ko" in (folder / listing).read_text(encoding="utf-8"):
                return True
        except OSError:
            # A container, or a kernel without modules: /proc/filesystems has had the last word
            continue
    return False


def _cgroup() -> str:
    root = Path("/sys/fs/cgroup")
    if (root / "cgroup.controllers").exists():
        return "v2"
    return "hybrid" if (root / "unified").is_dir() else "v1"


def _memory_mb(meminfo: str) -> int:
    for line in meminfo.splitlines():
        parts = line.split()
        if len(parts) >= _MIN_PARTS and parts[0] == "MemTotal:":
            return int(parts[1]) // 1024
    raise HostError("cannot read this host's memory from /proc/meminfo")


def _ip(*words: str) -> str:
    try:
        return run((find_command("ip") or "ip", "-json", "-4", *words), timeout_s=10).stdout
    except CommandError as error:
        raise HostError(
            "cannot see which networks this host uses",
            details=error.details or error.message,
            hint="apt-get install iproute2",
        ) from error
