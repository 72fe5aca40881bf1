"""An nginx of this program's own: its own folder, its own pid file, as this user.

Nothing of the system's nginx is used but the program. Which processes are ours, their working
folder says: a process id may be somebody else's by now, and workers outlive a killed master.
"""

import os
import re
import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox.daemons import daemon_environment
from sandbox.deadline import Deadline, wait_until, wait_while
from sandbox.errors import CommandError, HostError
from sandbox.host.nginx_setup import SETUP, nginx_program
from sandbox.run import run

WORKERS: Final = "www-data"
"""The account of the workers where the master is root; Debian and Ubuntu have it."""
_MASTER: Final = "nginx: master process"
_WORKER: Final = "nginx: worker process"
_TAKEN: Final = re.compile(r"bind\(\) to .* failed \(98:")
_FORBIDDEN: Final = re.compile(r"bind\(\) to .* failed \(13:")
_NO_ADDRESS: Final = re.compile(r"bind\(\) to .* failed \(99:")
_PROGRAM_OF_SS: Final = re.compile(r'\(\("([^"]+)",pid=([0-9]+)')
_TIMEOUT_S: Final = 30.0
_SOON_S: Final = 5.0


@dataclass(frozen=True)
class NginxProcess:
    """A process of our nginx."""

    pid: int
    is_master: bool
    is_leaving: bool
    """It takes no new connection, and ends with its last one."""


@dataclass(frozen=True)
class OwnNginx:
    """The nginx of one folder; `nginx.conf` in it says where its pid file and the rest are."""

    folder: Path
    port: int
    """The port that it is to listen on, for messages."""
    port_key: str
    """What to change for another port: `listen.port`."""

    @property
    def conf(self) -> Path:
        """The configuration."""
        return self.folder / "nginx.conf"

    @property
    def log(self) -> Path:
        """What nginx complains of."""
        return self.folder / "error.log"

    def runs(self) -> bool:
        """Tell whether it runs."""
        return self.master() is not None

    def master(self) -> int | None:
        """Return the process id of the master; None when there is none."""
        with suppress(OSError, ValueError):
            pid = int((self.folder / "nginx.pid").read_text(encoding="ascii"))
            found = self._process(pid)
            if found is not None and found.is_master:
                return pid
        # The file is gone, or of an older one
        return next((one.pid for one in self.processes() if one.is_master), None)

    def processes(self) -> Iterator[NginxProcess]:
        """Yield our nginx's processes."""
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                found = self._process(int(entry.name))
                if found is not None:
                    yield found

    def test(self) -> None:
        """Let nginx read its configuration, and change nothing.

        Raises:
            HostError: nginx is not installed, or refuses the configuration; `details` says why.
        """
        try:
            self._call("-t", "-q")
        except CommandError as error:
            raise HostError(
                "nginx refuses the configuration of the proxy",
                details=error.stderr.strip() or error.details,
                hint=f"{nginx_program()} -t -c {self.conf}",
            ) from error

    def start(self) -> None:
        """Start it; workers that a killed master has left keep their connections, and end then.

        Raises:
            HostError: nginx is not installed, its configuration is wrong, or its port is taken.
        """
        self._refuse_low_port()
        self.test()
        self._send_away_orphans()
        try:
            self._call()
        except CommandError as error:
            raise self._not_started(error) from error
        if not wait_until(self.runs, Deadline(_SOON_S), every_s=0.02):
            raise HostError("nginx ended as soon as it was started", details=self._last_words())

    def reload(self) -> None:
        """Let it read its configuration again; return when no old worker takes a new connection.

        Connections that are open stay open, at the old workers.

        Raises:
            HostError: the configuration is wrong, or nginx did not take it; the old one serves on.
        """
        self.test()
        master = self.master()
        if master is None:
            raise HostError("the proxy does not run", details=self._last_words())
        before = self._serving_of(master)
        os.kill(master, signal.SIGHUP)

        def old_ones() -> set[int]:
            now = self._serving_of(master)
            # A moment without any is no answer either
            return before if not now else before & now

        if wait_while(old_ones, Deadline(_SOON_S), every_s=0.01):
            raise HostError(
                "nginx did not take the proxy's new configuration", details=self._last_words()
            )

    def stop(self) -> None:
        """End it, with all its connections; does nothing when it does not run."""

        def left() -> list[NginxProcess]:
            return list(self.processes())

        for number in (signal.SIGTERM, signal.SIGKILL):
            for one in left():
                with suppress(ProcessLookupError):
                    os.kill(one.pid, number)
            if not wait_while(left, Deadline(_SOON_S), every_s=0.03):
                break
        (self.folder / "nginx.pid").unlink(missing_ok=True)

    def _serving(self) -> set[int]:
        return {one.pid for one in self.processes() if not (one.is_master or one.is_leaving)}

    def _serving_of(self, master: int) -> set[int]:
        """Its workers that take new connections. With thirty seats, a look at all takes long."""
        try:
            said = Path(f"/proc/{master}/task/{master}/children").read_text(encoding="ascii")
        except OSError:
            # A kernel that does not tell
            return self._serving()
        found = [one for one in map(self._process, map(int, said.split())) if one is not None]
        return {one.pid for one in found if not (one.is_master or one.is_leaving)}

    def _process(self, pid: int) -> NginxProcess | None:
        """The process of that id when it is one of ours. One that has ended has no folder."""
        try:
            title = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
            if not title.startswith("nginx: "):
                return None
            where = str(Path(f"/proc/{pid}/cwd").readlink())
        except OSError:
            return None
        if where.removesuffix(" (deleted)") != os.path.realpath(self.folder):
            return None
        title = title.rstrip("\0 ")
        return NginxProcess(pid, title.startswith(_MASTER), title != _WORKER)

    def _send_away_orphans(self) -> None:
        # They hold the port: without this, no new master could begin
        for one in self.processes():
            if not (one.is_master or one.is_leaving):
                with suppress(ProcessLookupError):
                    os.kill(one.pid, signal.SIGQUIT)
        wait_while(self._serving, Deadline(_SOON_S), every_s=0.03)

    def _call(self, *more: str) -> None:
        # Its working folder marks its processes as ours
        run(
            (require_nginx(), "-p", f"{self.folder}/", "-c", self.conf, "-e", self.log, *more),
            timeout_s=_TIMEOUT_S,
            env=daemon_environment(),
            only_env=True,
            cwd=self.folder,
        )

    def _refuse_low_port(self) -> None:
        if os.geteuid() == 0 or self.port >= first_free_port():
            return
        raise HostError(
            f"only root may listen on port {self.port}",
            hint=f"a port from {first_free_port()} on in the workshop file (`{self.port_key}`), "
            "or run the command as root",
        )

    def _not_started(self, error: CommandError) -> HostError:
        said = error.stderr or error.details
        if _TAKEN.search(said):
            return HostError(
                f"port {self.port} is taken by {who_listens(self.port)}",
                details=said.strip(),
                hint=f"end it, or choose another port in the workshop file (`{self.port_key}`)",
            )
        if _NO_ADDRESS.search(said):
            return HostError(
                "this host does not have the address that the proxy is to listen on",
                details=said.strip(),
                hint="`ip -brief address` lists its addresses; then `listen.address`",
            )
        if _FORBIDDEN.search(said):
            return HostError(
                f"this user may not listen on port {self.port}",
                details=said.strip(),
                hint=f"choose another port in the workshop file (`{self.port_key}`)",
            )
        return HostError("nginx does not start", details=said.strip() or self._last_words())

    def _last_words(self) -> str:
        with suppress(OSError):
            return "\n".join(
                self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:]
            )
        return ""


def first_free_port() -> int:
    """Return the lowest port that a user who is not root may listen on."""
    with suppress(OSError, ValueError):
        return int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text("ascii"))
    return 1024


def who_listens(port: int) -> str:
    """Name the program that listens on a port, as far as this user may know it."""
    try:
        said = run(("ss", "-Hltnp", f"sport = :{port}"), timeout_s=10, check=False).stdout
    except CommandError:
        said = ""
    found = sorted({f"{name} (process {pid})" for name, pid in _PROGRAM_OF_SS.findall(said)})
    return " and ".join(found) or "another program"


def require_nginx() -> Path:
    """Return nginx's program; refuse to go on where it is not installed.

    Raises:
        HostError: it is not; the hint installs it.
    """
    found = nginx_program()
    if found is None:
        raise HostError(
            "nginx is not installed, and it is the proxy in front of all seats", hint=SETUP
        )
    return found
