"""A real ssh server on loopback that misbehaves on demand; it runs commands on this machine."""

import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paramiko


@dataclass
class Lab:
    """A server, and the ssh_config that leads to it as `prod`."""

    folder: Path
    port: int
    config: Path
    behave: Callable[[paramiko.Channel, str], None]
    connections: int = 0
    commands: list[str] = field(default_factory=list)
    forwarded: list[tuple[str, int]] = field(default_factory=list)
    wants_certificate: bool = False

    def configure(self, *lines: str) -> None:
        """More lines for the host `prod`."""
        self.config.write_text(self.config.read_text() + "".join(f"  {one}\n" for one in lines))


class _Server(paramiko.ServerInterface):
    def __init__(self, lab: Lab, key: paramiko.PKey) -> None:
        self._lab = lab
        self._key = key

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        shown = getattr(key, "public_blob", None)
        good = key.asbytes() == self._key.asbytes()
        if self._lab.wants_certificate:
            good = shown is not None and "-cert-" in shown.key_type
        return paramiko.common.AUTH_SUCCESSFUL if good else paramiko.common.AUTH_FAILED

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.common.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        self._lab.commands.append(command.decode())
        # sshd says that it will before it does
        begin = threading.Timer(0.1, self._lab.behave, args=(channel, command.decode()))
        begin.daemon = True
        begin.start()
        return True

    def check_channel_direct_tcpip_request(
        self, chanid: int, origin: tuple[str, int], destination: tuple[str, int]
    ) -> int:
        self._lab.forwarded.append(destination)
        threading.Thread(target=self._lead, args=(destination,), daemon=True).start()
        return paramiko.common.OPEN_SUCCEEDED

    transport: Any = None

    def _lead(self, destination: tuple[str, int]) -> None:
        channel = self.transport.accept(10)
        with socket.create_connection(destination) as sock:
            threading.Thread(target=_copy, args=(channel.recv, sock.sendall), daemon=True).start()
            _copy(sock.recv, channel.sendall)


def _copy(read: Callable[[int], bytes], write: Callable[[bytes], None]) -> None:
    with suppress(OSError, EOFError):
        while data := read(65536):
            write(data)


def run_shell(
    *argv: str, before: bytes = b"", limit: int | None = None, env: dict[str, str] | None = None
) -> Callable[[paramiko.Channel, str], None]:
    """Behave as sshd does, with this as the login shell: `argv -c COMMAND`."""

    def behave(channel: paramiko.Channel, command: str) -> None:
        with suppress(OSError, EOFError, BrokenPipeError):
            if before:
                channel.sendall(before)
            process = subprocess.Popen(
                [*argv, "-c", command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=env,
            )
            assert process.stdin is not None

            def feed() -> None:
                assert process.stdin is not None
                with suppress(OSError, BrokenPipeError):
                    _copy(channel.recv, process.stdin.write)  # type: ignore[arg-type]
                with suppress(OSError):
                    process.stdin.close()

            threading.Thread(target=feed, daemon=True).start()
            assert process.stdout is not None
            with process.stdout:
                out = process.stdout.read()
            if limit is not None:
                channel.sendall(out[:limit])
                channel.get_transport().close()
                process.wait()
                return
            channel.sendall(out)
            channel.send_exit_status(process.wait())
        # Whoever asked may have gone by now
        with suppress(EOFError, OSError):
            channel.close()

    return behave


@contextmanager
def lab(
    folder: Path, behave: Callable[[paramiko.Channel, str], None], *, known: bool = True
) -> Iterator[Lab]:
    """Start the server; `prod` in its ssh_config leads there with the right key."""
    host_key = paramiko.ECDSAKey.generate()
    user_key = paramiko.ECDSAKey.generate()
    key_file = folder / "id_ecdsa"
    user_key.write_private_key_file(str(key_file))
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    known_hosts = folder / "known_hosts"
    line = f"[127.0.0.1]:{port} {host_key.get_name()} {host_key.get_base64()}\n"
    known_hosts.write_text(line if known else "")
    config = folder / "ssh_config"
    config.write_text(
        "Host *\n  IdentityAgent none\n"
        f"Host prod\n  HostName 127.0.0.1\n  Port {port}\n  User anna\n"
        f"  IdentityFile {key_file}\n  IdentitiesOnly yes\n"
        f"  UserKnownHostsFile {known_hosts}\n  GlobalKnownHostsFile none\n"
    )
    its = Lab(folder, port, config, behave)
    transports: list[paramiko.Transport] = []

    def serve() -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            its.connections += 1
            transport = paramiko.Transport(sock)
            transport.add_server_key(host_key)
            server = _Server(its, user_key)
            server.transport = transport
            transports.append(transport)
            with suppress(paramiko.SSHException, EOFError, OSError):
                transport.start_server(threading.Event(), server)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield its
    finally:
        # close() alone does not wake a thread that waits in accept()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for transport in transports:
            transport.close()
        thread.join(5)
