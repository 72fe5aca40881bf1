"""Log in to a running machine: its ssh_config, a root shell, and whether its sshd answers."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.deadline import Deadline, keep_trying
from sandbox.errors import CommandError, ProviderError
from sandbox.providers.abilities import RootExec
from sandbox.providers.engine import Engine, MachineStatus, Power
from sandbox.run import TAIL_LINES
from sandbox.ssh import SshTarget, disconnect, write_config
from sandbox.state import Instance
from sandbox.waiting import ROOT_SHELL

if TYPE_CHECKING:
    from sandbox.provision import RootShell

SSH_TIMEOUT_S = 30.0
_LOGIN_S = 15.0
_GREETING_S = 3.0
_LONGEST_GREETING = 255


def connect(instance: Instance, engine: Engine) -> SshTarget:
    """Write the ssh_config of a running machine; address and host key come from the provider."""
    return write_config(instance.folder, instance.name, engine.ssh_endpoint(instance.name))


def root_inside(engine: RootExec, name: str) -> "RootShell":
    """Return the root shell that the engine itself has in a machine, with or without sshd there."""

    def shell(
        script: str, *, timeout_s: float, log: Path, on_line: Callable[[str], None]
    ) -> object:
        done = engine.exec_as_root(
            name,
            ROOT_SHELL,
            timeout_s=timeout_s,
            stdin=script,
            log=log,
            on_line=on_line,
            check=False,
        )
        if done.returncode != 0:
            raise CommandError(
                f"a script failed in {name} with exit status {done.returncode}",
                returncode=done.returncode,
                stdout=done.stdout,
                stderr=done.stderr,
                details="\n".join((done.stdout + done.stderr).splitlines()[-TAIL_LINES:]),
            )
        return done

    return shell


def sshd_is_dead(status: MachineStatus) -> bool:
    """Tell whether sshd refuses, or sends no greeting, although this host has a route to it.

    A firewall in between says nothing about sshd: then there may be another way.
    """
    if status.power is not Power.RUNNING or status.address is None:
        return False
    try:
        with socket.create_connection((status.address, 22), timeout=_GREETING_S) as connection:
            # A client that leaves without a word is an error in the machine's log
            connection.sendall(b"SSH-2.0-sandbox\r\n")
            return not connection.recv(_LONGEST_GREETING).startswith(b"SSH-")
    except ConnectionError:
        return True
    except OSError:
        return False


def wait_for_ssh(target: SshTarget, *, timeout_s: float = SSH_TIMEOUT_S) -> None:
    """Return once a login works.

    Raises:
        ProviderError: no login works within `timeout_s`; details are ssh's own words.
    """
    try:
        keep_trying(
            lambda: target.run(("true",), timeout_s=max(_LOGIN_S, timeout_s / 2)),
            Deadline(timeout_s),
            despite=CommandError,
            every_s=0.2,
            again=lambda _: True,
        )
    except CommandError as error:
        raise ProviderError(
            f"{target.host} runs, but ssh does not get in",
            details=error.details or error.message,
            hint=f"sandbox destroy {target.host}, then sandbox up again",
        ) from error


def hang_up(instance: Instance) -> None:
    """End the shared connection, if any: its other end is about to go away."""
    config = instance.folder / "ssh_config"
    if config.exists():
        disconnect(SshTarget(host=instance.name, config=config))
