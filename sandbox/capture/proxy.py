"""Reach a host through a ProxyCommand, as ssh does: the user's shell runs the command."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from sandbox.capture.ssh_settings import SshSettings
from sandbox.errors import CommandError, HostError
from sandbox.run import Attached, attached

_END_S = 1.0
"""Seconds to wait for the end of a command after its connection has ended."""


@contextmanager
def proxied(settings: SshSettings, timeout_s: float) -> Iterator[socket.socket]:
    """Yield a connection to the host for as long as the block runs.

    Raises:
        HostError: the command failed, or the block failed because of it; details are its own words.
    """
    alias, command = settings.alias, settings.proxy_command or ""
    shell = os.environ.get("SHELL") or "/bin/sh"
    try:
        with attached((shell, "-c", f"exec {command}")) as far:
            try:
                if settings.passes_socket:
                    with _passed(far, timeout_s) as sock:
                        yield sock
                else:
                    yield far.socket
            except HostError as error:
                if status := far.status(_END_S):
                    raise _failed(alias, command, far.words(), status, error) from error
                raise
    except CommandError as error:
        raise HostError(
            f"the ProxyCommand of {alias} cannot be run: {error.message}",
            hint="it needs the shell that SHELL names",
        ) from error


def _passed(far: Attached, timeout_s: float) -> socket.socket:
    """The connection that a command hands over (ProxyUseFdpass)."""
    far.socket.settimeout(timeout_s)
    try:
        _, handles, _, _ = socket.recv_fds(far.socket, 1, 1)
    except OSError:
        handles = []
    if not handles:
        raise HostError("the ProxyCommand hands over no connection, as ProxyUseFdpass promises")
    return socket.socket(fileno=handles[0])


def _failed(alias: str, command: str, words: str, status: int, error: HostError) -> HostError:
    lines = [words, f"it ended with exit status {status}: {command}"]
    return HostError(
        f"the ProxyCommand of {alias} failed",
        details="\n".join(line for line in lines if line),
        hint=error.hint or f"try: ssh {alias} true",
    )
