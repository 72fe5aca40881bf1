"""The one way into every machine: an ssh_config with a known host key and a shared connection.

Ansible, testinfra, the probe and the user's own ssh all use the same file. A production host is
reached by ssh too, through the user's own configuration.
"""

import base64
import shlex
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox.errors import CommandError, ProviderError
from sandbox.files import write_whole
from sandbox.paths import runtime_dir, ssh_word
from sandbox.providers.engine import SshEndpoint
from sandbox.run import Completed, interactive, run
from sandbox.saved import BrokenFileError, read_text

REFUSED: Final = "Permission denied"
"""ssh's words when the machine does not accept a key."""


@dataclass(frozen=True)
class SshTarget:
    """A machine that `ssh` can reach by one word."""

    host: str
    """The alias in `config`, or `[USER@]HOST` of the user's own ssh configuration."""
    config: Path | None = None
    """The ssh_config to use; the user's own when None."""

    def argv(self, *options: str) -> tuple[str, ...]:
        """Write the `ssh` command up to and including the host."""
        config = ("-F", str(self.config)) if self.config is not None else ()
        # `--` so that a host name can never be read as an option
        return ("ssh", *config, *options, "--", self.host)

    def run(
        self,
        command: tuple[str, ...],
        *,
        timeout_s: float,
        stdin: str | bytes | Path | None = None,
        log: Path | None = None,
        on_line: Callable[[str], None] | None = None,
        check: bool = True,
    ) -> Completed:
        """Run `command` (an argv, quoted here for the remote shell) on the machine.

        Raises:
            CommandError: as `sandbox.run.run`; ssh's own failures have exit status 255.
        """
        return run(
            (*self.argv("-o", "BatchMode=yes"), shlex.join(command)),
            timeout_s=timeout_s,
            stdin=stdin,
            log=log,
            on_line=on_line,
            check=check,
        )

    def interactive(self, command: tuple[str, ...] = (), *, terminal: bool) -> int:
        """Hand our terminal or pipes to ssh and return the exit status of the command there."""
        options = ("-t",) if terminal and command and sys.stdin.isatty() else ()
        words = (shlex.join(command),) if command else ()
        return interactive((*self.argv(*options), *words))


def write_config(folder: Path, name: str, endpoint: SshEndpoint) -> SshTarget:
    """Write `ssh_config` and `known_hosts` into the instance's folder, next to its key."""
    return write_configs(folder, {name: endpoint})[0]


def write_configs(folder: Path, endpoints: Mapping[str, SshEndpoint]) -> tuple[SshTarget, ...]:
    """Write one `ssh_config` and `known_hosts` for several machines, next to the key of all."""
    known_hosts = folder / "known_hosts"
    keys = (f"{name} {key}\n" for name, one in endpoints.items() for key in one.host_keys)
    write_whole(known_hosts, "".join(keys))
    lines = [line for name, one in endpoints.items() for line in _own_lines(name, one)]
    if len(endpoints) > 1:
        lines.append("Host *")
    config = folder / "ssh_config"
    write_whole(config, "\n".join((*lines, *_common_lines(folder, known_hosts))) + "\n")
    return tuple(SshTarget(host=name, config=config) for name in endpoints)


def _own_lines(name: str, endpoint: SshEndpoint) -> list[str]:
    lines = [
        f"Host {name}",
        f"  HostName {endpoint.host}",
        f"  Port {endpoint.port}",
        f"  User {endpoint.user}",
        f"  HostKeyAlias {name}",
    ]
    if endpoint.proxy_command:
        # ssh expands % in a ProxyCommand and hands it to a shell
        command = shlex.join(endpoint.proxy_command).replace("%", "%%")
        lines.append(f"  ProxyCommand {command}")
    return lines


def _common_lines(folder: Path, known_hosts: Path) -> list[str]:
    return [
        f"  IdentityFile {ssh_word(folder / 'id_ed25519')}",
        "  IdentitiesOnly yes",
        "  StrictHostKeyChecking yes",
        f"  UserKnownHostsFile {ssh_word(known_hosts)}",
        "  GlobalKnownHostsFile /dev/null",
        "  PasswordAuthentication no",
        "  ForwardAgent no",
        "  LogLevel ERROR",
        "  ConnectTimeout 10",
        # OpenSSH's own first choice takes 0.2 s longer for each connection. It is for those who
        # record a connection and break it years later: this one stays on the host, or goes by TLS
        "  KexAlgorithms ^curve25519-sha256,curve25519-sha256@libssh.org",
        # An sshd that reloads refuses logins for a moment
        "  ConnectionAttempts 5",
        "  ServerAliveInterval 15",
        "  ControlMaster auto",
        "  ControlPersist 60",
        # %C is a hash over host, port, user and HostName: short, and new when the address is
        f"  ControlPath {ssh_word(runtime_dir(), tokens='/%C')}",
    ]


def disconnect(target: SshTarget) -> None:
    """End the shared connection, if any: before a machine is stopped, destroyed or restored.

    A connection that hangs does not stop us: ssh gives it up by itself.
    """
    with suppress(CommandError):
        run(target.argv("-O", "exit"), timeout_s=10, check=False)


def has_whole_key(folder: Path) -> bool:
    """Tell whether the login key is there, both halves belong together, and ssh accepts it.

    OpenSSH's private keys hold the public half in plain: no program is run to read it.
    """
    private, public = folder / "id_ed25519", folder / "id_ed25519.pub"
    try:
        if private.stat().st_mode & 0o077:
            # ssh refuses a key that others may read
            return False
        half = base64.b64decode((read_text(public) or "").split()[1], validate=True)
        lines = (read_text(private) or "").split("-----")[2]
        return half in base64.b64decode("".join(lines.split()), validate=True)
    except (OSError, BrokenFileError, IndexError, ValueError):
        return False


def make_key(folder: Path) -> str:
    """Make the instance's own login key on first use, and return its public half.

    Raises:
        ProviderError: ssh-keygen is missing or failed.
    """
    private, public = folder / "id_ed25519", folder / "id_ed25519.pub"
    if not has_whole_key(folder):
        # Do not use a half-written pair of an interrupted run, or two halves that do not match
        private.unlink(missing_ok=True)
        fresh = folder / "id_ed25519.new"
        fresh.unlink(missing_ok=True)
        comment = f"sandbox-{folder.name}"
        try:
            run(
                ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", fresh),
                timeout_s=20,
            )
        except CommandError as error:
            raise ProviderError(
                "cannot make an ssh key",
                details=error.details,
                hint="apt-get install openssh-client",
            ) from error
        fresh.rename(private)
        half = fresh.with_name("id_ed25519.new.pub")
        half.chmod(0o600)
        half.rename(public)
    return (read_text(public) or "").strip()


@contextmanager
def forwarded(target: SshTarget, remote_port: int) -> Iterator[int]:
    """Open a free port on 127.0.0.1 to `remote_port` on the machine's own 127.0.0.1.

    It uses the shared connection, and is closed when the block ends.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        local_port: int = probe.getsockname()[1]
    forward = f"127.0.0.1:{local_port}:127.0.0.1:{remote_port}"
    # `-O forward` needs a master: any command makes one
    target.run(("true",), timeout_s=30)
    run(target.argv("-O", "forward", "-L", forward), timeout_s=20)
    try:
        yield local_port
    finally:
        run(target.argv("-O", "cancel", "-L", forward), timeout_s=20, check=False)
