"""Limits of the kernel that all containers of a host share: enough for two, not for a class.

Every systemd, cron, udev and Shiny Server watches files (a Shiny sandbox holds 15 watchers), and
all containers of one Incus count as one user. With Linux's limit of 128, the ninth sandbox starts,
but some of its services do not. Incus's documentation names larger values for such hosts.
"""

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sandbox.host.actions import Action, HostCommand
from sandbox.host.journal import ChangeKind, Journal
from sandbox.host.privilege import RootAccess, run_as_root

WATCHERS = "fs.inotify.max_user_instances"
WATCHERS_OF_ONE = 15
"""Watchers of a Shiny sandbox on Debian 12: `find /proc/*/fd -lname anon_inode:inotify | wc -l`."""
WANTED = {WATCHERS: 8192, "kernel.keys.maxkeys": 20_000, "kernel.keys.maxbytes": 2_000_000}
"""systemd makes a key ring for every service; a service also starts without one."""

_PROC = Path("/proc/sys")
_UID_MAP = Path("/proc/self/uid_map")
_ALL_USERS = ["0", "0", "4294967295"]


@dataclass(frozen=True)
class KernelLimits:
    """The present limits."""

    values: tuple[tuple[str, int], ...] = ()
    """Values by sysctl's names; a limit that this kernel does not have is left out."""
    changeable: bool = True
    """False in a container: the limits are the host's, and root in here may not change them."""

    @property
    def low(self) -> tuple[tuple[str, int], ...]:
        """Limits that are lower than we want, with their present values."""
        return tuple((key, value) for key, value in self.values if value < WANTED[key])

    def value(self, key: str) -> int | None:
        """Return the value of one limit."""
        return dict(self.values).get(key)


def read_limits(names: Iterable[str]) -> dict[str, int]:
    """Read limits by sysctl's names; one that this kernel does not have is left out."""
    found: dict[str, int] = {}
    for name in names:
        # A kernel without key rings, or a /proc that hides them: then there is nothing to raise
        with suppress(OSError, ValueError):
            found[name] = int(_file(name).read_text(encoding="utf-8"))
    return found


def gather_limits() -> KernelLimits:
    """Read the limits."""
    return KernelLimits(tuple(read_limits(WANTED).items()), _changeable())


def _changeable() -> bool:
    try:
        if os.statvfs(_PROC).f_flag & os.ST_RDONLY:
            return False
    except OSError:
        return False
    try:
        return _UID_MAP.read_text(encoding="utf-8").split() == _ALL_USERS
    except OSError:
        # A kernel without user namespaces: root is root
        return True


def _file(key: str) -> Path:
    return _PROC / key.replace(".", "/")


def settings_file(prefix: str) -> str:
    """Return the file that sets the limits at every boot."""
    return f"/etc/sysctl.d/60-{prefix}.conf"


def plan_limits(prefix: str, limits: KernelLimits) -> list[Action]:
    """Raise limits that are too low, now and at every boot; none is ever lowered."""
    if not limits.low or not limits.changeable:
        return []
    path = settings_file(prefix)
    lines = [f"{key} = {WANTED[key]}" for key, _ in limits.low]
    return [
        Action(
            ChangeKind.LIMITS,
            f"raise the kernel's limits that all containers share: in {path}, and in /proc/sys",
            (HostCommand(("tee", path)),),
            (path, *(f"{key}={value}" for key, value in limits.low)),
            content="\n".join(lines) + "\n",
        )
    ]


def raise_limits(action: Action, root: RootAccess, journal: Journal) -> None:
    """Write the file, then set the limits of the running kernel.

    Raises:
        HostError: they cannot be written.
    """
    journal.intend(ChangeKind.LIMITS, action.names)
    _write(root, action.names[0], action.content)
    for key, _ in _earlier(action.names):
        _write(root, str(_file(key)), f"{WANTED[key]}\n")
    journal.done(ChangeKind.LIMITS)


def lower_limits(names: Sequence[str], root: RootAccess) -> None:
    """Undo `raise_limits`; a limit that somebody changed since then stays.

    Args:
        names: from the journal: the file, then each limit with its old value.
        root: how to become root.

    Raises:
        HostError: they cannot be written.
    """
    now = gather_limits()
    run_as_root(root, ("rm", "-f", names[0]))
    for key, before in _earlier(names):
        if now.value(key) == WANTED.get(key):
            _write(root, str(_file(key)), f"{before}\n")


def _earlier(names: Sequence[str]) -> list[tuple[str, int]]:
    """The value of each limit before the first try: a second try is added after it."""
    found: dict[str, int] = {}
    for name in names[1:]:
        key, _, value = name.partition("=")
        if key in WANTED:
            found.setdefault(key, int(value))
    return list(found.items())


def _write(root: RootAccess, path: str, text: str) -> None:
    run_as_root(root, ("tee", path), stdin=text)
