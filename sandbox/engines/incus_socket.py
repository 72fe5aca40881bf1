"""Incus's API over the daemon's own socket: a few milliseconds a question.

The `incus` command takes thirty times that to start. Only for the daemon of this host; how it is
found, and what happens when it cannot be talked to, is as with the command.
"""

import json
import socket
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any


class UnreachableError(Exception):
    """Nobody answered; the `incus` command may know why."""


class LateError(Exception):
    """The answer did not come in time; what was asked for may go on."""


class _Connection(HTTPConnection):
    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("incus", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def ask(
    path: Path, method: str, target: str, data: Mapping[str, Any] | None, *, timeout_s: float
) -> dict[str, Any]:
    """The answer to one request; of an operation that it starts, how that ended.

    Args:
        path: the daemon's socket.
        method: GET, POST, PUT, PATCH, DELETE.
        target: path and query, quoted.
        data: the body.
        timeout_s: for request and operation together, each.

    Raises:
        UnreachableError: the socket does not take us; nothing was asked.
        LateError: no answer in time, or the daemon went away in the middle.
    """
    connection = _Connection(path, timeout_s)
    try:
        try:
            connection.connect()
        except OSError as error:
            raise UnreachableError(str(error)) from error
        try:
            answer = _exchange(connection, method, target, data)
            operation = str(answer.get("operation") or "")
            if answer.get("type") == "async" and operation:
                answer = _exchange(connection, "GET", f"{operation}/wait", None)
        except (OSError, HTTPException) as error:
            raise LateError(str(error) or type(error).__name__) from error
    finally:
        connection.close()
    return answer


def _exchange(
    connection: HTTPConnection, method: str, target: str, data: Mapping[str, Any] | None
) -> dict[str, Any]:
    body = None if data is None else json.dumps(data)
    connection.request(method, target, body, {"Content-Type": "application/json"})
    return dict(json.loads(connection.getresponse().read()))
