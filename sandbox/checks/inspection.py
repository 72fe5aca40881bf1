"""What checks need to know beyond the facts: read by one command, as root, in one round trip.

The facts describe any machine, production included; this asks about what one plan names.
"""

import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from sandbox.plan import Plan
from sandbox.spec.plumber import unit_of

WATCHED_FILES = (
    "/var/lib/rstudio-server/secure-cookie-key",
    "/etc/rstudio/secure-cookie-key",
    "/var/lib/rstudio-server/session-rpc-key",
    "/etc/rstudio/rserver.conf",
    "/etc/rstudio/rsession.conf",
    "/etc/pam.d/rstudio",
    "/etc/shiny-server/shiny-server.conf",
    "/var/log/shiny-server",
    "/var/log/shiny-server.log",
    "/srv/shiny-server",
    "/etc/R/Rprofile.site",
    "/etc/R/Renviron.site",
    "/etc/environment",
    "/etc/sudoers",
    "/etc/shadow",
)
"""Files with an owner and a mode that decide who can read a secret or change what others run."""

_INSTALLED = ("installed", "triggers-awaited", "triggers-pending")
"""dpkg's third word for a package that is all there, whatever is wanted of it (hold)."""
_HALVES = ("unpacked", "half-configured", "half-installed")
_NO_SHELL = ("nologin", "false", "sync", "shutdown", "halt")

_SCRIPT = """\
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
echo "@state"; systemctl is-system-running 2>&1
echo "@failed"; systemctl list-units --failed --plain --no-legend --no-pager 2>&1
echo "@files"; for file in @FILES@; do
  if [ -e "$file" ]; then stat -L -c '%a %U %F|%n' -- "$file"; fi
done
echo "@packages"; if [ -n "@PACKAGES@" ]; then
  dpkg-query -W -f '${db:Status-Status} ${Package} ${Version}\\n' -- @PACKAGES@ 2>/dev/null
fi
echo "@accounts"; awk -F : '
  NR == FNR { password[$1] = $2 == "" ? "empty" : ($2 ~ /^[!*]/ ? "locked" : "set"); next }
  { print $1 ":" $3 ":" $7 ":" ($2 == "" ? "empty" : ($1 in password ? password[$1] : "set")) }
' /etc/shadow /etc/passwd
echo "@owners"; for unit in @UNITS@; do
  pid=$(systemctl show -p MainPID --value -- "$unit")
  if [ "${pid:-0}" -gt 0 ]; then echo "$unit $(stat -c %U "/proc/$pid" 2>/dev/null)"; fi
done
# OMP_NUM_THREADS changes what nproc says
echo "@disk"; df -Pm / | tail -n 1
echo "@inodes"; df -Pi / | tail -n 1
echo "@end"
"""


@dataclass(frozen=True)
class FileMode:
    """Owner and mode of one file, symbolic links followed."""

    path: str
    mode: int
    owner: str
    kind: str

    @property
    def octal(self) -> str:
        """As `ls` users say it: `0644`."""
        return f"{self.mode:04o}"


@dataclass(frozen=True)
class Login:
    """One line of /etc/passwd: service accounts too, which may have got a shell or a password."""

    name: str
    uid: int
    shell: str
    password: Literal["locked", "set", "empty"]

    @property
    def has_shell(self) -> bool:
        """Whether a login gets anywhere."""
        return self.shell.rsplit("/", 1)[-1] not in _NO_SHELL


@dataclass(frozen=True)
class Inspection:
    """The answer."""

    system_state: str
    """As `systemctl is-system-running` says: running, degraded."""
    failed_units: tuple[str, ...]
    files: tuple[FileMode, ...]
    """Of `watched_files`, those that are there."""
    packages: dict[str, str]
    """Installed Debian packages, of those that the plan names, with versions."""
    half_installed: dict[str, str]
    """Of these the ones that an installation which broke off has left, with dpkg's word for it."""
    logins: tuple[Login, ...]
    """Every account of the machine."""
    """That a program may use."""
    disk_used_percent: int
    disk_free_mb: int
    inodes_used_percent: int | None
    """None where the file system has no fixed number of them."""
    owners: dict[str, str] = field(default_factory=dict)
    """Of the units that run APIs: the account of each main process."""

    def file(self, path: str) -> FileMode | None:
        """Find one watched file, if it is there."""
        return next((one for one in self.files if one.path == path), None)

    def without(self, accounts: Iterable[str]) -> "Inspection":
        """Return the same without the accounts that our own checks have made meanwhile."""
        gone = frozenset(accounts)
        return replace(self, logins=tuple(one for one in self.logins if one.name not in gone))


def inspection_script(plan: Plan) -> str:
    """Write the shell script to run as root; every word from the plan is quoted."""
    # Debian's package names cannot hold anything that a double-quoted shell string would read
    return (
        _SCRIPT.replace("@FILES@", shlex.join(watched_files(plan)))
        .replace("@PACKAGES@", shlex.join(planned_packages(plan)))
        .replace("@UNITS@", shlex.join(unit_of(api.name) for api in plan.apis))
    )


def watched_files(plan: Plan) -> tuple[str, ...]:
    """List WATCHED_FILES, and the site files of Posit's Rs, each in its own folder."""
    homes = [one.home for one in plan.rs if one.source == "posit"]
    own = [f"{home}/etc/{name}" for home in homes for name in ("Rprofile.site", "Renviron.site")]
    return (*WATCHED_FILES, *own)


def planned_packages(plan: Plan) -> tuple[str, ...]:
    """List the Debian packages that must be installed."""
    return tuple(sorted({*plan.apt_packages, *plan.system.packages}))


def parse_inspection(text: str) -> Inspection:
    """Read the script's output.

    Raises:
        ValueError: it was cut off, or is something else.
    """
    parts = _sections(text)
    if "end" not in parts:
        raise ValueError(f"the machine's answer was cut off: {text[-200:]!r}")
    used, free_mb = _df(parts["disk"])
    inodes_used, _ = _df(parts["inodes"])
    return Inspection(
        system_state=(parts["state"] or ["unknown"])[0],
        failed_units=tuple(line.split()[0] for line in parts["failed"]),
        files=tuple(_files(parts["files"])),
        packages=dict(_packages(parts["packages"])),
        half_installed=dict(_half_installed(parts["packages"])),
        logins=tuple(_logins(parts["accounts"])),
        disk_used_percent=used or 0,
        disk_free_mb=free_mb,
        inodes_used_percent=inodes_used,
        owners=dict(_pairs(parts.get("owners", []))),
    )


def _sections(text: str) -> dict[str, list[str]]:
    parts: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.splitlines():
        if re.fullmatch(r"@[a-z]+", line):
            lines = parts.setdefault(line[1:], [])
        elif line.strip():
            lines.append(line.strip())
    return parts


def _pairs(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        name, _, value = line.partition(" ")
        yield name, value


def _files(lines: Iterable[str]) -> Iterator[FileMode]:
    for line in lines:
        about, _, path = line.partition("|")
        mode, owner, kind = about.split(" ", 2)
        yield FileMode(path, int(mode, 8), owner, kind)


def _packages(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        status, name, version = (*line.split(), "", "")[:3]
        if status in _INSTALLED:
            yield name, version


def _half_installed(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        status, name = (*line.split(), "", "")[:2]
        if status in _HALVES:
            yield name, status


def _logins(lines: Iterable[str]) -> Iterator[Login]:
    for line in lines:
        name, uid, shell, state = line.split(":")
        match state:
            case "locked" | "set" | "empty":
                yield Login(name, int(uid), shell, state)
            case _:
                raise ValueError(f"an account's line is {line!r}")


def _df(lines: list[str]) -> tuple[int | None, int]:
    fields = lines[0].split() if lines else []
    if len(fields) < 6:  # noqa: PLR2004  (the columns of df -P)
        raise ValueError(f"df answered {lines!r}")
    percent = fields[-2].rstrip("%")
    return int(percent) if percent.isdigit() else None, int(fields[-3]) if fields[
        -3
    ].isdigit() else 0
