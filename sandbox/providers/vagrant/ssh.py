"""Reach a VM before the workflows do: its console, its sshd, a command as root over ssh."""

import re
import shlex
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sandbox.deadline import Deadline, wait_until
from sandbox.errors import CommandError, ProviderError, SandboxError
from sandbox.events import Listener, Notice
from sandbox.paths import ssh_word
from sandbox.providers.engine import SshEndpoint
from sandbox.providers.vagrant.files import VmFolder, VmRecord, parse_console
from sandbox.providers.vagrant.hypervisor import Hypervisor
from sandbox.providers.vagrant.ports import port_speaks_ssh
from sandbox.run import Completed, run

_RETIRE: Final = """
getent passwd vagrant >/dev/null || exit 0
rm -f /etc/sudoers.d/vagrant
userdel --force --remove vagrant 2>/dev/null
! getent passwd vagrant
"""
_CONSOLE_S: Final = 10.0
_CONNECT_S: Final = 60
_LOGINS: Final = 3
_PAUSE_S: Final = 2.0
_SSH_FAILED: Final = 255
_TURNED_AWAY: Final = re.compile(
    r"during banner exchange|kex_exchange_identification|^Connection (closed|reset) by \S+ port",
    re.MULTILINE,
)
_LAST_LINES: Final = 15
_LEAST_S: Final = 0.01


def wait_for_sshd(record: VmRecord, folder: VmFolder, *, timeout_s: float) -> bool:
    """Wait for the VM's sshd, and tell whether it answers in time, and its host keys are known."""
    if not folder.host_keys():
        return False
    options = record.options
    deadline = Deadline(timeout_s)

    def answers() -> bool:
        # Patiently: each try that we give up leaves a slow machine with one more sshd to start
        left_s = max(_LEAST_S, deadline.left_s)
        return port_speaks_ssh(record.ssh_port, timeout_s=min(left_s, options.ssh_timeout_s))

    return wait_until(answers, deadline, every_s=0.2)


def learn_host_keys(hypervisor: Hypervisor, record: VmRecord, folder: VmFolder) -> tuple[str, ...]:
    """Learn the host keys that the VM printed to its serial console; only the VM can write there.

    Raises:
        ProviderError: it printed none.
    """
    text = wait_until(
        lambda: hypervisor.console(record, folder),
        Deadline(_CONSOLE_S),
        every_s=0.2,
        enough=parse_console,
    )
    if keys := parse_console(text):
        return keys
    raise ProviderError(
        f"{record.name} did not print its ssh host key to its serial console",
        details="\n".join(text.splitlines()[-_LAST_LINES:]),
        hint=f"sandbox destroy {record.name}, then sandbox up again",
    )


def add_last_words(
    error: SandboxError, hypervisor: Hypervisor, record: VmRecord, folder: VmFolder
) -> None:
    """Add the VM's last output to an error about it; nothing when that cannot be read."""
    with suppress(SandboxError, OSError):
        last = hypervisor.console(record, folder).splitlines()[-_LAST_LINES:]
        if last:
            error.details = "\n".join([error.details, "", "the machine's console:", *last])


def run_over_ssh_as_root(
    folder: Path,
    endpoint: SshEndpoint,
    argv: Sequence[str],
    *,
    timeout_s: float,
    stdin: str | bytes | None = None,
    log: Path | None = None,
    on_line: Callable[[str], None] | None = None,
    check: bool = True,
    connect_timeout_s: int = _CONNECT_S,
) -> Completed:
    """Run `argv` in `/root` of the machine, with the key in `folder`.

    A login that failed because the machine was slow (its sshd allows two minutes) is tried again:
    the command was not started, so it cannot run twice.

    Raises:
        ProviderError: ssh cannot log in, or (with `check`) the command failed or took too long.
    """
    script = 'cd /root && exec "$@"'
    command = shlex.join(("sudo", "-n", "--", "sh", "-c", script, "sh", *argv))
    # In its own folder: what a killed command leaves there goes with the machine
    with tempfile.NamedTemporaryFile(
        "w", prefix="known_hosts.", dir=folder, encoding="utf-8"
    ) as known_hosts:
        known_hosts.write("".join(f"sandbox {key}\n" for key in endpoint.host_keys))
        known_hosts.flush()
        words = (
            *("ssh", "-F", "none", "-p", str(endpoint.port), "-l", endpoint.user),
            *("-o", f"IdentityFile={ssh_word(folder / 'id_ed25519')}", "-o", "IdentitiesOnly=yes"),
            *(
                "-o",
                f"UserKnownHostsFile={ssh_word(Path(known_hosts.name))}",
                "-o",
                "HostKeyAlias=sandbox",
            ),
            *("-o", "GlobalKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=yes"),
            *("-o", "BatchMode=yes", "-o", "LogLevel=ERROR"),
            *("-o", f"ConnectTimeout={max(_CONNECT_S, connect_timeout_s)}"),
            *("--", endpoint.host, command),
        )

        def log_in() -> Completed | CommandError:
            try:
                return run(
                    words, timeout_s=timeout_s, stdin=stdin, log=log, on_line=on_line, check=check
                )
            except CommandError as error:
                return error

        done = wait_until(
            log_in,
            every_s=_PAUSE_S,
            tries=_LOGINS,
            enough=lambda one: not never_began(one.returncode, one.stderr),
        )
        if isinstance(done, CommandError):
            raise ProviderError(
                f"`{argv[0]}` failed in the machine", details=done.details or done.message
            ) from done
        return done


def never_began(returncode: int | None, stderr: str) -> bool:
    """Tell whether ssh was refused before the login: then nothing was run in the machine."""
    return returncode == _SSH_FAILED and _TURNED_AWAY.search(stderr) is not None


def retire_boxs_account(folder: Path, endpoint: SshEndpoint, *, timeout_s: float) -> None:
    """Remove the account `vagrant` that base images come with: no box asked for it.

    One login may take `timeout_s`: a machine that is slow to boot is slow to accept logins.

    Raises:
        ProviderError: it is still there.
    """
    run_over_ssh_as_root(folder, endpoint, ("sh", "-c", _RETIRE), timeout_s=timeout_s)


def set_clock(
    folder: Path, endpoint: SshEndpoint, name: str, listener: Listener, timeout_s: float
) -> None:
    """Give the machine this host's time; a warning when it cannot be set."""
    now = datetime.now(UTC).strftime("--set=@%s")
    try:
        run_over_ssh_as_root(folder, endpoint, ("date", "--utc", now), timeout_s=timeout_s)
    except ProviderError as error:
        listener(Notice(name, f"the machine's clock could not be set: {error.details}"))
