"""Incus's API over the daemon's own socket: a few milliseconds a question.

The `incus` command takes thirty times as long to start. Only for the daemon of this host. The
socket is found in the same way as by the command, which is used when the socket does not answer.
"""

import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sandbox.deadline import Deadline

_CHUNK = 65536
LARGEST_BYTES: Final = 64 * 1024 * 1024
"""The most bytes of one answer: a thousand machines with their states have about 10 MB."""


class NoSocketError(Exception):
    """Nothing answered at the socket; the `incus` command may know why."""


class LateError(Exception):
    """The answer did not come in time, or not whole; the operation may go on."""


class EndlessError(Exception):
    """The answer is larger than any of Incus's."""


def ask_socket(
    path: Path,
    method: str,
    target: str,
    data: Mapping[str, Any] | None,
    *,
    timeout_s: float,
    wait: bool = True,
) -> dict[str, Any]:
    """Send one request and return the answer; if it starts an operation, how that ended.

    Args:
        path: the daemon's socket.
        method: GET, POST, PUT, PATCH, DELETE.
        target: path and query, quoted.
        data: the body.
        timeout_s: for request and operation, each.
        wait: whether to wait for an operation at all.

    Raises:
        UnreachableError: the socket does not accept us; nothing was asked.
        LateError: no answer in time, or the daemon went away in the middle.
        EndlessError: the answer is larger than any of Incus's.
    """
    answer = _exchange(path, method, target, data, timeout_s)
    operation = str(answer.get("operation") or "")
    if wait and answer.get("type") == "async" and operation:
        answer = _exchange(path, "GET", f"{operation}/wait", None, timeout_s)
    return answer


def _exchange(
    path: Path, method: str, target: str, data: Mapping[str, Any] | None, timeout_s: float
) -> dict[str, Any]:
    """Send one request over one connection, in HTTP/1.0: the answer ends with the connection.

    `http.client` could do that, but takes longer to import than Incus to answer.
    """
    body = b"" if data is None else json.dumps(data).encode()
    head = (
        f"{method} {target} HTTP/1.0\r\nHost: incus\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    received = _sent(path, head.encode("ascii") + body, timeout_s)
    try:
        answer = json.loads(received.partition(b"\r\n\r\n")[2])
    except (ValueError, RecursionError) as error:
        raise LateError(f"the answer was cut off: {received[:200]!r}") from error
    if not isinstance(answer, dict):
        raise LateError(f"the answer is none of Incus's: {received[:200]!r}")
    return answer


def ask_text(path: Path, target: str, *, timeout_s: float) -> str:
    """Get what is no JSON; empty when the daemon answers with an error.

    Raises:
        NoSocketError, LateError, EndlessError: as in `ask_socket`.
    """
    head = f"GET {target} HTTP/1.0\r\nHost: incus\r\n\r\n"
    status, _, text = _sent(path, head.encode("ascii"), timeout_s).partition(b"\r\n\r\n")
    return text.decode(errors="replace") if b" 200 " in status.split(b"\r\n", 1)[0] else ""


def _sent(path: Path, request: bytes, timeout_s: float) -> bytes:
    """Send one request over one connection; return the answer with its head."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        try:
            connection.connect(str(path))
        except OSError as error:
            raise NoSocketError(str(error)) from error
        try:
            connection.sendall(request)
            return _received(connection, Deadline(timeout_s))
        except OSError as error:
            raise LateError(str(error) or type(error).__name__) from error


def _received(connection: socket.socket, deadline: Deadline) -> bytes:
    """Read the whole answer, in time and within limits."""
    chunks: list[bytes] = []
    size = 0
    while chunk := connection.recv(_CHUNK):
        chunks.append(chunk)
        size += len(chunk)
        if size > LARGEST_BYTES:
            raise EndlessError(f"more than {LARGEST_BYTES // 1024**2} MB came")
        # A byte now and then must not keep us waiting for ever
        connection.settimeout(max(0.001, deadline.left_s))
    return b"".join(chunks)


def incus_socket() -> Path | None:
    """Find the socket of this host's Incus daemon, where `incus` looks for it; None without one."""
    if chosen := os.environ.get("INCUS_SOCKET"):
        return Path(chosen)
    folder = os.environ.get("INCUS_DIR")
    folders = (folder,) if folder else ("/run/incus", "/var/lib/incus")
    found = (Path(one) / "unix.socket" for one in folders)
    return next((path for path in found if path.exists()), None)
