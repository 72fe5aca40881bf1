"""Runs the stand-in on this host, uninstalled: folders, users and PAM files of its own.

The users are in files that only the server's own mount namespace sees: the host gets none.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from tests.conftest import is_alive
from tests.standin.build import FOLDER
from tests.standin.client import BROWSER, StandinClient

ANN, PASSWORD = "ann", "horse battery"
_UID = 47110
_SEEN = ("passwd", "shadow", "group")
_HIDE = (
    "for name in passwd shadow group; do mount --bind $0/$name /etc/$name || exit 99; done;"
    ' exec "$@"'
)


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@dataclass
class StandinLab:
    """A folder that stands for a machine, and the server in it."""

    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="si-", dir="/tmp")))
    port: int = field(default_factory=free_port)
    server: subprocess.Popen[str] | None = None

    def __enter__(self) -> "StandinLab":
        self.folder.chmod(0o755)
        # A copy: the user must be able to enter it, whoever owns this checkout
        shutil.copytree(FOLDER / "files", self.folder / "usr")
        for name in ("etc/rstudio", "users", "home/ann"):
            (self.folder / name).mkdir(parents=True)
        hashed = subprocess.run(
            ["openssl", "passwd", "-6", "-stdin"],
            input=PASSWORD, capture_output=True, text=True, check=True,
        ).stdout.strip()  # fmt: skip
        lines = {
            "passwd": f"{ANN}:x:{_UID}:{_UID}::{self.home}:/bin/bash",
            "shadow": f"{ANN}:{hashed}:19000:0:99999:7:::",
            "group": f"{ANN}:x:{_UID}:\nanalysts:x:47111:",
        }
        for name in _SEEN:
            known = Path("/etc", name).read_text(encoding="utf-8")
            path = self.folder / "users" / name
            path.write_text(f"{known}{lines[name]}\n", encoding="utf-8")
            path.chmod(0o644 if name != "shadow" else 0o600)
        os.chown(self.home, _UID, _UID)
        self.knob("key-bits=1024")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.stop()
        finally:
            self._clear()

    def _clear(self) -> None:
        """End the sessions, and remove what the lab has written."""
        for process in self.processes():
            os.kill(process, signal.SIGTERM)
        deadline = time.monotonic() + 20
        while self.processes() and time.monotonic() < deadline:
            time.sleep(0.1)
        shutil.rmtree(self.folder, ignore_errors=True)
        # R, ended by a signal, leaves its own
        for left in Path("/tmp").glob("Rtmp*"):
            if left.stat().st_uid == _UID:
                shutil.rmtree(left)

    @property
    def _program(self) -> Path:
        return self.folder / "usr/bin"

    @property
    def home(self) -> Path:
        """The home of the one user."""
        return self.folder / "home/ann"

    @property
    def log(self) -> str:
        """What the server has written into its log."""
        path = self.folder / "var/log/rstudio/rstudio-server/rserver.log"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def processes(self) -> list[int]:
        """List what runs of this lab: sessions, which outlive the server."""
        found = []
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                is_ours = str(self.folder).encode() in entry.read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if is_ours and is_alive(int(entry.parent.name)):
                found.append(int(entry.parent.name))
        return found

    def configure(self, name: str, text: str) -> None:
        """Write a configuration file."""
        (self.folder / "etc/rstudio" / name).write_text(text, encoding="utf-8")

    def claim(self, version: str) -> None:
        """Be another version."""
        (self.folder / "usr/standin/VERSION").write_text(version + "\n", encoding="utf-8")

    def knob(self, line: str) -> None:
        """Set what only tests may set."""
        (self.folder / "etc/rstudio-standin.conf").write_text(line + "\n", encoding="utf-8")

    def run(self, *words: str, program: str = "rserver") -> subprocess.CompletedProcess[str]:
        """Run a program of the stand-in to its end."""
        return subprocess.run(
            [*self._begin(), str(self._program / program), *words],
            env=self._env(), cwd="/", capture_output=True, text=True, timeout=60, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def _begin(self) -> list[str]:
        hide = ["unshare", "-m", "--propagation", "private", "sh", "-c", _HIDE]
        return [*hide, str(self.folder / "users")]

    def _env(self) -> dict[str, str]:
        return {**os.environ, "RSTUDIO_STANDIN_ROOT": str(self.folder)}

    def start(self, *words: str) -> None:
        """Start the server, and wait until it answers."""
        own = ("--server-daemonize=0", "--server-user=root", "--www-address=127.0.0.1")
        port = f"--www-port={self.port}"
        self.server = subprocess.Popen(
            [*self._begin(), str(self._program / "rserver"), *own, port, *words],
            env=self._env(), cwd="/", stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.server.poll() is None:
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise RuntimeError(f"the stand-in does not start: {self.log}")

    def stop(self) -> None:
        """Stop the server; sessions go on."""
        if self.server is not None:
            self.server.terminate()
            assert self.server.wait(timeout=30) == 0
            self.server = None

    def client(self, agent: str = BROWSER) -> StandinClient:
        """Give a new browser."""
        return StandinClient("127.0.0.1", self.port, agent)
