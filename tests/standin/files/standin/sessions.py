"""Starts a user's session, and passes calls on to it."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .find_r import FoundR
from .logs import Log
from .options import Options, below_root
from .sign_in import BIN, as_root, program

_POLL_S = 0.05
# Longer than a session holds back a question for events
_ANSWER_S = 60


class Sessions:
    """All sessions; each outlives the calls, and the server too."""

    def __init__(self, options: Options, found: FoundR, log: Log) -> None:
        data = options.text("server-data-dir", str(below_root("/var/run/rstudio-server")))
        self.folder = Path(data) / "rstudio-rsession"
        self._found = found
        self._log = log
        self._path = BIN / options.text("rsession-path", "rsession")
        self._wait_s = options.number("rsession-proxy-max-wait-secs", 10)
        self._config = options.text("rsession-config-file")
        self._libraries = options.text("rsession-ld-library-path")
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def make_folder(self) -> None:
        """Make the folder of sockets, where every user may have one."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.folder.stat().st_mode & stat.S_ISVTX:
            self.folder.chmod(0o1777)

    def call(self, user: str, request: dict[str, Any]) -> dict[str, Any] | None:
        """Ask the user's session, started when there is none; None when none can be reached."""
        with self._lock:
            lock = self._locks.setdefault(user, threading.Lock())
        answer = self._ask(user, request)
        # A question for events starts none: a browser that was left open would wake R for ever
        if answer is not None or request["method"] == "get_events":
            return answer
        with lock:
            deadline = time.monotonic() + self._wait_s
            answer = self._ask(user, request)
            if answer is None:
                self._start(user)
            while answer is None and time.monotonic() < deadline:
                time.sleep(_POLL_S)
                answer = self._ask(user, request)
        if answer is None:
            self._log.say_error(
                f"No session of user {user} answers on {self.folder / (user + '-d')}"
            )
        return answer

    def _ask(self, user: str, request: dict[str, Any]) -> dict[str, Any] | None:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(_ANSWER_S)
        try:
            with connection:
                connection.connect(str(self.folder / f"{user}-d"))
                connection.sendall(json.dumps(request).encode() + b"\n")
                text = connection.makefile("rb").readline()
                return json.loads(text) if text else None
        except OSError:
            return None

    def _start(self, user: str) -> None:
        words = [
            *program(self._path), "-u", user, "--session-root-path", "/",
            "--standin-socket", str(self.folder / f"{user}-d"),
            "--standin-server-uid", str(os.geteuid()),
            "--standin-r", json.dumps(asdict(self._found)),
            "--standin-libraries", self._libraries,
            "--standin-config", self._config,
        ]  # fmt: skip
        self._log.say_info(f"Starting a session for user {user}")
        process = subprocess.Popen(
            [*words, "--standin-launch"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True, cwd="/",
            **as_root(),  # type: ignore[call-overload]
        )  # fmt: skip
        # Reaps it whenever it ends
        threading.Thread(target=process.wait, daemon=True).start()
