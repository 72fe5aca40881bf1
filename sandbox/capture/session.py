"""One ssh session with a production host: log in as the user's ssh would, send a script, read.

The user is asked nothing, no new host is trusted, and nothing is written on the host.
"""

import logging
import shlex
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import paramiko
from paramiko.auth_strategy import AuthFailure

from sandbox.capture.host_keys import KnownKeys, known_keys
from sandbox.capture.login_keys import Keys
from sandbox.capture.proxy import proxied
from sandbox.capture.ssh_settings import SshSettings, host_and_port, settings_of
from sandbox.deadline import Deadline, wait_until
from sandbox.errors import HostError

# Its errors reach us as exceptions: without a handler paramiko prints them on stderr
logging.getLogger("paramiko").addHandler(logging.NullHandler())

_MOST_BYTES = 64 * 1024 * 1024
_MOST_JUMPS = 5
_WAIT_S = 0.01
_CLOSE_S = 0.5
"""An error so close to the deadline counts as the deadline's."""
_NO_SSH = ("banner", "protocol version")
"""paramiko's words for a server that does not speak ssh."""


class Answer:
    """The output of the script."""

    def __init__(self) -> None:
        self.out = bytearray()
        self.err = bytearray()
        self.status: int | None = None
        """The exit status; None when the connection ended first, or we stopped reading."""

    @property
    def stdout(self) -> str:
        """The output as text; bytes that are not UTF-8 are replaced."""
        return self.out.decode("utf-8", "replace")

    @property
    def stderr(self) -> str:
        """The errors as text."""
        return self.err.decode("utf-8", "replace")


def ask_over_ssh(
    target: str,
    script: str,
    *,
    last_line: str,
    timeout_s: float,
    config: Path | None = None,
) -> Answer:
    """Run `script` by `sh -s` on `[USER@]HOST` and return its output, over one session.

    Args:
        target: as the user's ssh knows it, with ssh's jump hosts, keys, agent and known hosts.
        script: POSIX sh.
        last_line: stop waiting when this line has come.
        timeout_s: for everything, from the first packet on.
        config: an ssh_config instead of the user's own.

    Raises:
        UsageError: the name is not a host.
        HostError: it cannot be reached or logged in to, hangs, or prints too much.
    """
    deadline = Deadline(timeout_s)
    settings = settings_of(target, config)
    with connected(settings, deadline) as client:
        transport = client.get_transport()
        if transport is None:
            raise HostError(f"the connection to {target} was lost")
        transport.set_keepalive(10)
        # Waiting for the answer to `exec` has no time limit of its own
        watchdog = threading.Timer(_left(deadline, target), transport.close)
        watchdog.daemon = True
        watchdog.start()
        try:
            channel = transport.open_session(timeout=_left(deadline, target))
            # The login shell may be anything: these two words mean the same in all of them
            channel.exec_command("sh -s")
            return _converse(
                channel, script.encode(), f"\n{last_line}\n".encode(), deadline, target
            )
        except (paramiko.SSHException, EOFError, OSError) as error:
            if deadline.left_s < _CLOSE_S:
                raise _hangs(target, Answer()) from error
            raise HostError(f"the session with {target} failed", details=_words(error)) from error
        finally:
            watchdog.cancel()


def _converse(
    channel: paramiko.Channel, rest: bytes, last: bytes, deadline: Deadline, target: str
) -> Answer:
    answer = Answer()
    sent = memoryview(rest)
    while True:
        if deadline.is_over:
            raise _hangs(target, answer)
        moved = False
        if sent and channel.send_ready() and not channel.closed:
            # The host may stop reading our script and still have output for us
            with suppress(OSError):
                sent = sent[channel.send(sent[:32768].tobytes()) :]
                moved = True
            if not sent:
                channel.shutdown_write()
        while channel.recv_ready():
            answer.out += channel.recv(65536)
            moved = True
        while channel.recv_stderr_ready():
            answer.err += channel.recv_stderr(65536)
            moved = True
        if len(answer.out) + len(answer.err) > _MOST_BYTES:
            raise HostError(f"{target} says more than any probe would", details=_tail(answer))
        if moved and last in answer.out[-len(last) - 65536 * 2 :]:
            return answer
        if not moved:
            if channel.exit_status_ready() or channel.closed or channel.eof_received:
                return _ended(channel, answer)
            time.sleep(_WAIT_S)


def _ended(channel: paramiko.Channel, answer: Answer) -> Answer:
    """Read the rest of the output and the exit status."""
    wait_until(
        lambda: channel.exit_status_ready() or channel.closed, Deadline(1.0), every_s=_WAIT_S
    )
    while channel.recv_ready():
        answer.out += channel.recv(65536)
    while channel.recv_stderr_ready():
        answer.err += channel.recv_stderr(65536)
    if channel.exit_status_ready():
        status = channel.recv_exit_status()
        # -1 is paramiko's value for a connection that ended without an exit status
        answer.status = status if status >= 0 else None
    return answer


def _hangs(target: str, answer: Answer) -> HostError:
    said = _tail(answer)
    return HostError(
        f"{target} did not answer in time",
        details=f"it had said: {said}" if said else "it had said nothing",
        hint="--timeout SECONDS waits longer; `ssh HOST true` shows whether a login works at all",
    )


def _tail(answer: Answer) -> str:
    lines = (answer.stderr or answer.stdout).strip().splitlines()
    return "\n".join(lines[-5:])[-500:]


# Connecting


@contextmanager
def connected(
    settings: SshSettings, deadline: Deadline, *, depth: int = 0
) -> Iterator[paramiko.SSHClient]:
    """Yield a client that is logged in, through all its jump hosts.

    Raises:
        HostError: one of them cannot be reached or logged in to; the error says which, and why.
    """
    if depth > _MOST_JUMPS:
        raise HostError(f"more than {_MOST_JUMPS} jump hosts on the way to {settings.alias}")
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    try:
        with _road(settings, deadline, depth) as sock:
            _log_in(client, settings, sock, deadline)
            yield client
    finally:
        client.close()


@contextmanager
def _road(
    settings: SshSettings, deadline: Deadline, depth: int
) -> Iterator["socket.socket | paramiko.Channel"]:
    """A connection to the host's ssh port: direct, through other hosts, or through a command."""
    where = (settings.hostname, settings.port)
    if settings.jumps:
        *before, nearest = settings.jumps
        through = _jump(nearest, settings.config)
        jump = replace(through, jumps=tuple(before) or through.jumps)
        with connected(jump, deadline, depth=depth + 1) as client:
            transport = client.get_transport()
            if transport is None:
                raise HostError(f"the connection to {jump.alias} was lost")
            try:
                yield transport.open_channel(
                    "direct-tcpip", where, ("127.0.0.1", 0), timeout=_left(deadline, jump.alias)
                )
            except (paramiko.SSHException, EOFError) as error:
                raise HostError(
                    f"{jump.alias} does not lead to {where[0]}:{where[1]}", details=_words(error)
                ) from error
    elif settings.proxy_command is not None:
        with proxied(settings, _left(deadline, settings.alias)) as sock:
            yield sock
    else:
        with _dial(settings, deadline) as sock:
            yield sock


def _jump(word: str, config: Path | None) -> SshSettings:
    target, port = host_and_port(word)
    return settings_of(target, config, port)


def _dial(settings: SshSettings, deadline: Deadline) -> socket.socket:
    name, port = settings.hostname, settings.port
    timeout_s = min(settings.connect_timeout_s, _left(deadline, settings.alias))
    try:
        return socket.create_connection((name, port), timeout=timeout_s)
    except socket.gaierror as error:
        raise HostError(f"there is no host named {name}", details=str(error.strerror)) from error
    except TimeoutError as error:
        raise HostError(
            f"{name} does not answer on port {port}", details=f"waited {timeout_s:g} s"
        ) from error
    except OSError as error:
        raise HostError(
            f"cannot connect to {name} on port {port}", details=str(error.strerror or error)
        ) from error


def _log_in(
    client: paramiko.SSHClient,
    settings: SshSettings,
    sock: "socket.socket | paramiko.Channel",
    deadline: Deadline,
) -> None:
    alias = settings.alias
    # ssh looks up an alias as it is, and a host name together with its port
    key_name = settings.host_key_alias or settings.hostname
    port = 22 if settings.host_key_alias else settings.port
    shown_name = key_name if port == paramiko.config.SSH_PORT else f"[{key_name}]:{port}"
    known = known_keys(settings.known_hosts, shown_name)
    for key in known.good:
        client.get_host_keys().add(shown_name, key.get_name(), key)
    left_s = _left(deadline, alias)
    try:
        client.connect(
            key_name,
            port=port,
            username=settings.user,
            sock=sock,
            timeout=left_s,
            banner_timeout=left_s,
            auth_timeout=left_s,
            channel_timeout=left_s,
            auth_strategy=Keys(settings),
        )
    except paramiko.BadHostKeyException as error:
        raise HostError(
            f"{alias} has another host key than your known_hosts says",
            details=f"it shows {error.key.get_name()} {error.key.fingerprint}",
            hint="somebody may stand in between: ask its admin before you remove the old key "
            f"(ssh-keygen -R {shlex.quote(shown_name)})",
        ) from error
    except AuthFailure as error:
        raise _refused(settings, error) from error
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise _cannot(settings, known, error) from error
    transport = client.get_transport()
    if transport is None or transport.get_remote_server_key().asbytes() in known.revoked:
        raise HostError(f"the host key of {alias} is revoked", details="by your known_hosts")


def _cannot(settings: SshSettings, known: KnownKeys, error: Exception) -> HostError:
    alias, words = settings.alias, _words(error)
    if "not found in known_hosts" in words:
        details = "sandbox trusts no key on first use"
        if known.by_authority:
            details += ", and cannot check the certificate that your known_hosts trusts"
        return HostError(
            f"the host key of {alias} is not known",
            details=details,
            hint=f"log in once and compare the fingerprint: ssh {alias}",
        )
    if isinstance(error, EOFError) or any(word in words.lower() for word in _NO_SSH):
        return HostError(
            f"{settings.hostname}:{settings.port} does not answer as an ssh server does",
            details=words,
        )
    return HostError(f"cannot log in to {alias}", details=words, hint=f"try: ssh {alias} true")


def _refused(settings: SshSettings, error: AuthFailure) -> HostError:
    tried = [str(one.source) for one in error.result]
    strategy = error.result.strategy
    locked = [str(path) for path in getattr(strategy, "locked", [])]
    lines = [f"{len(tried)} keys were tried as {settings.user}"]
    lines += [f"{path} has a passphrase, and no agent has its key" for path in locked]
    lines += getattr(strategy, "unread", [])
    hint = (
        f"ssh-add {locked[0]}" if locked else f"ssh {settings.alias} must work without a password"
    )
    return HostError(
        f"{settings.alias} lets nobody in with your keys", details="\n".join(lines), hint=hint
    )


def _left(deadline: Deadline, name: str) -> float:
    left_s = deadline.left_s
    if left_s == 0:
        raise HostError(f"{name} did not answer in time", hint="--timeout SECONDS waits longer")
    return left_s


def _words(error: BaseException) -> str:
    return str(error).strip() or type(error).__name__
