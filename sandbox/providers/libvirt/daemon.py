"""libvirt's daemons: started through systemd where that runs, else by ourselves; and stopped."""

from pathlib import Path

from sandbox.daemons import daemon_environment
from sandbox.deadline import Deadline, wait_until, wait_while
from sandbox.errors import CommandError, HostError
from sandbox.host.actions import Action, HostCommand
from sandbox.host.facts import HostFacts, find_command
from sandbox.host.journal import ChangeKind
from sandbox.host.privilege import RootAccess
from sandbox.host.processes import BY_SYSTEMD, BY_US, running
from sandbox.providers.libvirt.doctor import virsh
from sandbox.run import run

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
PROGRAMS = ("libvirtd", "virtlogd")
"""Stopped in this order, started in the reverse one."""

_PID_FILES = {name: Path(f"/run/{name}.pid") for name in PROGRAMS}
_ONE_DAEMON = ("virtlogd.socket", "libvirtd.socket")
# Where libvirt is split into one daemon for each job (Fedora, Arch)
_MODULAR = ("virtlogd.socket", "virtqemud.socket", "virtstoraged.socket")


def units(daemon: str) -> tuple[str, ...]:
    """List the units that make libvirt answer."""
    return _MODULAR if daemon == "virtqemud" else _ONE_DAEMON


def plan_daemon(host: HostFacts, daemon: str) -> Action:
    """Plan how to start libvirt on this host."""
    if host.systemd:
        return Action(
            ChangeKind.DAEMON,
            "start libvirt, now and at every boot",
            (HostCommand(("systemctl", "enable", "--now", *units(daemon))),),
            (BY_SYSTEMD,),
        )
    # Each goes into the background by itself
    commands = tuple(HostCommand((name, "--daemon")) for name in reversed(PROGRAMS))
    title = "start libvirt (there is no systemd here: until the next boot only)"
    return Action(ChangeKind.DAEMON, title, commands, (BY_US,))


def start(host: HostFacts, daemon: str, root: RootAccess, log: Path) -> None:
    """Start libvirt and wait until it answers.

    Raises:
        HostError: it does not start, or does not answer in time.
    """
    try:
        if host.systemd:
            argv = root.argv("systemctl", "enable", "--now", *units(daemon))
            run(argv, timeout_s=START_TIMEOUT_S, log=log)
        else:
            for name in reversed(PROGRAMS):
                if not running(name):
                    argv = root.argv(find_command(name) or name, "--daemon")
                    env = daemon_environment()
                    run(argv, timeout_s=30, log=log, env=env, only_env=True)
    except CommandError as error:
        hint = "journalctl -u libvirtd" if host.systemd else f"see {log}"
        details = error.details or error.message
        raise HostError("libvirt does not start", details=details, hint=hint) from error
    _wait(root, log)


def _wait(root: RootAccess, log: Path) -> None:
    done = wait_until(
        lambda: run(root.argv(*virsh("version")), timeout_s=20, check=False),
        Deadline(START_TIMEOUT_S),
        every_s=0.2,
        enough=lambda done: done.returncode == 0,
    )
    if done.returncode != 0:
        raise HostError(
            f"libvirt does not answer ({START_TIMEOUT_S:g} s)",
            details=done.stderr.strip(),
            hint=f"see {log}",
        )


def stop(daemon: str, root: RootAccess, *, systemd: bool) -> None:
    """Stop libvirt; running machines go on, because they are processes of their own.

    Raises:
        HostError: it does not stop.
    """
    try:
        if systemd:
            services = tuple(unit.replace(".socket", ".service") for unit in units(daemon))
            names = (*reversed(units(daemon)), *reversed(services))
            run(root.argv("systemctl", "disable", "--now", *names), timeout_s=STOP_TIMEOUT_S)
            return
        for name in PROGRAMS:
            _end(name, root)
    except CommandError as error:
        raise HostError("libvirt does not stop", details=error.details) from error


def _end(name: str, root: RootAccess) -> None:
    try:
        pid = int(_PID_FILES[name].read_text(encoding="utf-8").strip())
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        # Not running, or not started as we start it
        return
    if Path(words[0].decode(errors="replace")).name != name:
        return
    run(root.argv("kill", str(pid)), timeout_s=10)
    if wait_while(
        lambda: Path(f"/proc/{pid}/cmdline").exists() and running(name),
        Deadline(STOP_TIMEOUT_S),
        every_s=0.1,
    ):
        raise HostError(f"{name} does not stop", hint=f"sudo kill {pid}")
