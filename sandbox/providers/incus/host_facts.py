"""The state of Incus on this host, read in one go and without changing anything."""

import os
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from sandbox.errors import CommandError, HostError
from sandbox.host.facts import HostFacts, find_command, free_gb, gather_host
from sandbox.host.groups import has_group_now, is_member
from sandbox.providers.incus.subnet import networks_in_use
from sandbox.run import run

INCUS_GROUP = "incus-admin"
MEANING = (
    f"members of the group {INCUS_GROUP} are as good as root on this host, as they can put any of "
    "its folders into a machine"
)
"""The meaning of membership; shown whenever somebody is to become a member."""
INCUS_DIR = Path("/var/lib/incus")
LXC_TEMPLATES = Path("/usr/share/lxc/config")

_COMMANDS = ("btrfs", "dnsmasq", "docker", "incus", "iptables", "nft", "zstd")
_INCUSD = (Path("/usr/libexec/incus/incusd"), Path("/opt/incus/bin/incusd"))


@dataclass(frozen=True, kw_only=True)
class IncusHost(HostFacts):
    """This host, as far as running Incus on it matters."""

    in_group: bool
    """Whether the person who shall use Incus is a member of its group."""
    in_group_now: bool
    """Whether this very process has the group too (that may take a new login)."""
    incusd: Path | None
    kernel_btrfs: bool
    loop_devices: bool
    cgroup: str
    """`v2`, `v1` or `hybrid`."""
    free_disk_gb: float
    """Where Incus keeps its pools."""
    routes_json: str = "[]"
    addresses_json: str = "[]"


def gather_incus_host() -> IncusHost:
    """Look at this host. Takes about 0.1 s.

    Raises:
        HostError: this is not Linux, or /proc or `ip` are missing.
    """
    host = gather_host(*_COMMANDS)
    return IncusHost(
        **vars(host),
        in_group=host.user is not None and is_member(host.user, INCUS_GROUP),
        in_group_now=has_group_now(INCUS_GROUP),
        incusd=next((path for path in _INCUSD if path.exists()), None),
        kernel_btrfs=_has_btrfs(),
        loop_devices=Path("/dev/loop-control").exists() or Path("/dev/loop0").exists(),
        cgroup=_cgroup(),
        free_disk_gb=free_gb(INCUS_DIR),
        routes_json=_ip("route", "show", "table", "all"),
        addresses_json=_ip("address"),
    )


def _has_btrfs() -> bool:
    filesystems = Path("/proc/filesystems").read_text(encoding="utf-8")
    return "btrfs" in filesystems.split() or _module_exists("btrfs")


def _module_exists(name: str) -> bool:
    folder = Path("/lib/modules") / os.uname().release
    for listing in ("modules.builtin", "modules.dep"):
        try:
            if f"/{name}.ko" in (folder / listing).read_text(encoding="utf-8"):
                return True
        except OSError:
            # A container, or a kernel without modules: /proc/filesystems has decided already
            continue
    return False


def _cgroup() -> str:
    root = Path("/sys/fs/cgroup")
    if (root / "cgroup.controllers").exists():
        return "v2"
    return "hybrid" if (root / "unified").is_dir() else "v1"


def _ip(*words: str) -> str:
    try:
        return run((find_command("ip") or "ip", "-json", "-4", *words), timeout_s=10).stdout
    except CommandError as error:
        raise HostError(
            "cannot see which networks this host uses",
            details=error.details or error.message,
            hint="apt-get install iproute2",
        ) from error


def networks_seen() -> tuple[IPv4Network, ...]:
    """List the networks of this host's routes and links, in the form of `subnet.networks_in_use`.

    Raises:
        HostError: `ip` cannot say.
    """
    return networks_in_use(_ip("route", "show", "table", "all"), _ip("address"))
