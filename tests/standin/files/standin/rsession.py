"""Is rsession: one user's R, which answers the server on a socket until it is ended."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import threading
import time
import uuid
from pathlib import Path
from typing import Any

from . import NAME, SUFFIX, claimed_version
from .find_r import FoundR
from .keys import RSESSION, RSESSION_INTERNAL
from .launch import launch, without_launch
from .logs import Log
from .options import OptionError, Options, config_dir, read_file
from .process_name import set_name
from .r_process import RProcess

INVALID_CLIENT, METHOD_NOT_FOUND, PARAM_INVALID = 4, 7, 10
_EVENTS_WAIT_S = 20
_KEPT_EVENTS = 5000


def error(code: int, message: str) -> dict[str, Any]:
    """Make an answer that says what is wrong."""
    return {"error": {"code": code, "message": message}}


class Session:
    """The state of one session: its client, its R and its events."""

    def __init__(self, user: str, found: FoundR, libraries: str, options: Options) -> None:
        self._user = user
        self._found = found
        self._client = ""
        self._events: list[dict[str, Any]] = []
        self._next = 0
        self._changed = threading.Condition()
        self.has_ended = threading.Event()
        self.r = RProcess(found, libraries, options, self._emit)
        threading.Thread(target=self.r.read_all, daemon=True).start()

    def _emit(self, kind: str, data: object) -> None:
        with self._changed:
            self._events.append({"id": self._next, "type": kind, "data": data})
            self._next += 1
            del self._events[:-_KEPT_EVENTS]
            self._changed.notify_all()
        if kind == "quit":
            self.has_ended.set()

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer one call."""
        method = str(request.get("method", ""))
        if method == "client_init":
            return {"result": self._client_init()}
        handler = getattr(self, f"_do_{method}", None)
        if handler is None:
            return error(METHOD_NOT_FOUND, "Method not found")
        if request.get("clientId") != self._client:
            return error(INVALID_CLIENT, "Invalid client id")
        params = request.get("params")
        return handler(params if isinstance(params, list) else [])  # type: ignore[no-any-return]

    def _client_init(self) -> dict[str, Any]:
        """Give the session to whoever asks; the client before has an invalid id from now on."""
        with self._changed:
            self._client = str(uuid.uuid4())
            self._changed.notify_all()
        return {
            "clientId": self._client,
            "mode": "server",
            "userIdentity": self._user,
            "hostname": socket.gethostname(),
            "initial_working_dir": str(Path.cwd()),
            "rVersionsInfo": {
                "r_version": self._found.version,
                "r_home_dir": self._found.home,
            },
            "rstudio_version": claimed_version() + SUFFIX,
            "standin": NAME,
            "plots_problem": self._found.engine_problem(),
        }

    def _do_console_input(self, params: list[Any]) -> dict[str, Any]:
        if not params or not isinstance(params[0], str):
            return error(PARAM_INVALID, "Invalid parameter")
        self._emit("console_input", {"text": params[0]})
        self.r.run(params[0])
        return {"result": None}

    def _do_interrupt(self, _params: list[Any]) -> dict[str, Any]:
        self.r.interrupt()
        return {"result": True}

    def _do_ping(self, _params: list[Any]) -> dict[str, Any]:
        return {"result": None}

    def _do_quit_session(self, _params: list[Any]) -> dict[str, Any]:
        self.r.end()
        return {"result": True}

    def _do_get_events(self, params: list[Any]) -> dict[str, Any]:
        """Hold the question back until there is an event after the last one seen."""
        last = params[0] if params and isinstance(params[0], int) else -1
        client, deadline = self._client, time.monotonic() + _EVENTS_WAIT_S
        with self._changed:
            while True:
                if self._client != client:
                    return error(INVALID_CLIENT, "Invalid client id")
                found = [event for event in self._events if event["id"] > last]
                left = deadline - time.monotonic()
                if found or left <= 0:
                    return {"result": found}
                self._changed.wait(left)


def _may_ask(connection: socket.socket, server_uid: int) -> bool:
    size = struct.calcsize("3i")
    peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    return struct.unpack("3i", peer)[1] in (0, server_uid, os.getuid())


def _serve_one(connection: socket.socket, session: Session, server_uid: int) -> None:
    with connection:
        if not _may_ask(connection, server_uid):
            return
        try:
            request = json.loads(connection.makefile("rb").readline())
            connection.sendall(json.dumps(session.answer(request)).encode() + b"\n")
        except (OSError, ValueError):
            return


def _listen(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    path.chmod(0o666)
    listener.listen(16)
    return listener


def _serve(listener: socket.socket, session: Session, server_uid: int) -> None:
    while True:
        connection, _ = listener.accept()
        words = (connection, session, server_uid)
        threading.Thread(target=_serve_one, args=words, daemon=True).start()


def _value(words: list[str], name: str) -> str:
    return words[words.index(name) + 1] if name in words else ""


def main(words: list[str]) -> int:
    """Be rsession, or with --standin-launch the process that becomes its user first."""
    user = _value(words, "-u")
    if "--standin-launch" in words:
        return launch(user, without_launch(words))
    set_name("rsession")
    own = Path.home() / ".local/share/rstudio/log"
    log = Log(f"rsession-{user}", own, to_stderr="--verify-installation=1" in words)
    path = Path(_value(words, "--standin-config") or config_dir() / "rsession.conf")
    try:
        options = Options(read_file(path, RSESSION | RSESSION_INTERNAL))
    except (OptionError, OSError) as problem:
        log.say_error(str(problem))
        return 1
    if "--verify-installation=1" in words:
        return 0
    socket_path = Path(_value(words, "--standin-socket"))
    found = FoundR(**json.loads(_value(words, "--standin-r")))
    try:
        session = Session(user, found, _value(words, "--standin-libraries"), options)
        # First: who sees the socket may send a signal
        for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
            signal.signal(number, lambda *_: session.r.end(signal.SIGKILL))
        listener = _listen(socket_path)
    except OSError as problem:
        log.say_error(f"Cannot start: {problem}")
        return 1
    server_uid = int(_value(words, "--standin-server-uid") or 0)
    arguments = (listener, session, server_uid)
    threading.Thread(target=_serve, args=arguments, daemon=True).start()
    while not session.has_ended.wait(0.5):
        pass
    socket_path.unlink(missing_ok=True)
    # Whoever still waits for events is told of the end
    time.sleep(0.5)
    return 0
