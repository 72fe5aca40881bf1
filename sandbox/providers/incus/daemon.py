"""The Incus daemon: started through systemd where that runs, else by ourselves; and stopped."""

import os
import re
from collections.abc import Callable
from pathlib import Path

from sandbox.daemons import spawn_daemon
from sandbox.deadline import Deadline, keep_trying, wait_while
from sandbox.errors import CommandError, HostError, SandboxError
from sandbox.host.actions import Action, HostCommand
from sandbox.host.journal import ChangeKind, host_dir
from sandbox.host.privilege import RootAccess
from sandbox.host.processes import BY_SYSTEMD, BY_US, command_lines, running
from sandbox.providers.incus.host_facts import INCUS_DIR, INCUS_GROUP, LXC_TEMPLATES, IncusHost
from sandbox.run import run

UNITS = ("incus.socket", "incus.service")
START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 120.0
TEMPLATES_VARIABLE = "LXC_TEMPLATE_CONFIG"
DEBIANS_INCUSD = Path("/usr/libexec/incus/incusd")


def plan_daemon(host: IncusHost) -> Action:
    """Plan how to start the daemon on this host."""
    if host.systemd:
        return Action(
            ChangeKind.DAEMON,
            "start the Incus daemon, now and at every boot",
            (HostCommand(("systemctl", "enable", "--now", *UNITS)),),
            (BY_SYSTEMD,),
        )
    return Action(
        ChangeKind.DAEMON,
        "start the Incus daemon (there is no systemd here: until the next boot only)",
        (HostCommand(("env", *_settings(), *_incusd(host.incusd or DEBIANS_INCUSD))),),
        (BY_US,),
    )


def start(host: IncusHost, root: RootAccess, answers: Callable[[], None]) -> None:
    """Start the daemon and wait until it answers.

    Args:
        host: this host, with `incusd` known.
        root: how to run a command as root.
        answers: raises SandboxError as long as the daemon does not answer.

    Raises:
        HostError: it does not start, or does not answer in time.
    """
    log = host_dir() / "incusd.log"
    pid: int | None = None
    try:
        if host.systemd:
            run(root.argv("systemctl", "enable", "--now", *UNITS), timeout_s=START_TIMEOUT_S)
        elif not running("incusd"):
            if host.incusd is None:
                raise HostError("incusd is not installed", hint="sandbox host setup")
            words = ("env", *_settings(), *_incusd(host.incusd))
            pid = spawn_daemon(root.argv(*words), log=log)
    except CommandError as error:
        raise HostError(
            "the Incus daemon does not start",
            details=error.details or error.message,
            hint="journalctl -u incus.service" if host.systemd else f"see {log}",
        ) from error
    _wait(answers, pid, log, systemd=host.systemd)


def _settings() -> tuple[str, ...]:
    # Without it the daemon looks for LXC's templates where Debian does not put them
    return (f"{TEMPLATES_VARIABLE}={LXC_TEMPLATES}",)


def lacks_templates(pid: int) -> bool:
    """Tell whether the daemon with this process id was started without LXC's templates.

    False also where that cannot be seen: only root may read another process's environment.
    """
    try:
        raw = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
    variables = raw.split(b"\0")
    return LXC_TEMPLATES.is_dir() and not any(
        item.startswith(f"{TEMPLATES_VARIABLE}=".encode()) for item in variables
    )


def _incusd(path: Path) -> tuple[str, ...]:
    return (str(path), "--group", INCUS_GROUP)


def _wait(answers: Callable[[], None], pid: int | None, log: Path, *, systemd: bool) -> None:
    def has_ended() -> bool:
        return pid is not None and not _alive(pid)

    try:
        keep_trying(
            answers,
            Deadline(START_TIMEOUT_S),
            despite=SandboxError,
            every_s=0.2,
            again=lambda _: not has_ended(),
        )
    except SandboxError as last:
        why = "ended again at once" if has_ended() else f"does not answer ({START_TIMEOUT_S:g} s)"
        own = "" if systemd else _tail(log)
        raise HostError(
            f"the Incus daemon {why}",
            details="\n".join(part for part in (last.message, last.details, own) if part),
            hint="journalctl -u incus.service" if systemd else f"see {log}",
        ) from last


def stop(how: str, root: RootAccess) -> None:
    """Stop the daemon and wait until all its processes and mounts are gone.

    Raises:
        HostError: a process or a mount stays.
    """
    try:
        if how == BY_SYSTEMD:
            units = (*reversed(UNITS), "incus-startup.service")
            run(root.argv("systemctl", "disable", "--now", *units), timeout_s=STOP_TIMEOUT_S)
        elif running("incusd"):
            run(root.argv("incus", "admin", "shutdown"), timeout_s=STOP_TIMEOUT_S)
    except CommandError as error:
        raise HostError("the Incus daemon does not stop", details=error.details) from error
    if left := wait_while(leftovers, Deadline(STOP_TIMEOUT_S), every_s=0.2):
        raise HostError("Incus left processes behind", details="\n".join(left))
    for mount in mounts_of(_text_of("/proc/self/mounts"), INCUS_DIR):
        try:
            run(root.argv("umount", mount), timeout_s=30)
        except CommandError as error:
            raise HostError(f"cannot unmount {mount}", details=error.details) from error


def leftovers() -> tuple[str, ...]:
    """List the command lines of all processes that belong to an Incus daemon on this host."""
    return tuple(line for line in command_lines() if is_incus_process(line))


def is_incus_process(line: str) -> bool:
    """Tell whether a command line is the daemon's, or of a helper it started."""
    program = line.split(" ", 1)[0].rsplit("/", 1)[-1]
    if program == "incusd":
        return True
    if program in ("dnsmasq", "forkdns"):
        return f"{INCUS_DIR}/networks/" in line
    return line.startswith("[lxc monitor]") and str(INCUS_DIR) in line


def mounts_of(mounts: str, folder: Path) -> tuple[str, ...]:
    """List the mount points below `folder` in the text of /proc/mounts, the deepest first."""
    points = []
    for line in filter(None, mounts.split("\n")):
        # A space in a mount point is written \040
        point = re.sub(r"\\([0-7]{3})", lambda one: chr(int(one[1], 8)), line.split(" ")[1])
        if Path(point).is_relative_to(folder) and Path(point) != folder:
            points.append(point)
    return tuple(sorted(points, key=lambda point: point.count("/"), reverse=True))


def _text_of(path: str) -> str:
    """Text from the kernel: names of files and programs in it may be any bytes."""
    return Path(path).read_text(encoding="utf-8", errors="surrogateescape")


def _alive(pid: int) -> bool:
    try:
        # A daemon that ended at once may stay as a zombie child: its state shows that
        state = _text_of(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z" and os.path.exists(f"/proc/{pid}")  # noqa: PTH110  (one path, one syscall)


def _tail(log: Path) -> str:
    try:
        return "\n".join(log.read_text(errors="replace", encoding="utf-8").splitlines()[-20:])
    except OSError:
        return ""
