"""A workshop on real machines, as its trainer and its learners see it: commands and addresses."""

import base64
import http.client
import json
import os
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sandbox.endpoints import BROWSER
from tests.conftest import Host, is_alive
from tests.mirror import Mirror

RSTUDIO = "2024.12.0+467"
"""The version that the stand-in for RStudio Server says it has."""
APP = """\
library(shiny)
shinyApp(
  fluidPage(textOutput("word")),
  function(input, output) output$word <- renderText(paste("hello from", Sys.info()[["nodename"]]))
)
"""


@dataclass
class Classroom:
    """An open workshop; `home` is the folder with its files."""

    host: Host
    file: Path
    port: int
    people: dict[int, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.file.name.removesuffix(".workshop.yml")

    @property
    def folder(self) -> Path:
        return self.host.home / "state" / "sandbox" / "workshops" / self.name

    def command(
        self, verb: str, *words: str | Path, expect: int | None = 0, timeout_s: float = 900
    ) -> subprocess.CompletedProcess[str]:
        """`sandbox workshop VERB NAME WORDS…`."""
        return self.host.sandbox(
            "workshop", verb, self.name, *words, expect=expect, timeout_s=timeout_s
        )

    def up(self, *, expect: int | None = 0) -> subprocess.CompletedProcess[str]:
        """`sandbox workshop up FILE`."""
        words = ("workshop", "up", self.file, "--into", self.file.parent / "slips")
        return self.host.sandbox(*words, expect=expect, timeout_s=1800)

    def seats(self) -> dict[int, dict[str, Any]]:
        """What `status --json` says of each seat."""
        found = json.loads(self.command("status", "--json").stdout)
        return {one["number"]: one for one in found["seats"]}

    def secrets(self) -> dict[int, str]:
        """The secrets of the seats, from the one place that has them."""
        found = json.loads((self.folder / "secrets.json").read_text("utf-8"))
        return {int(number): secret for number, secret in found["seats"].items()}

    def fetch(self, host: str, path: str = "/", *, timeout_s: float = 20) -> tuple[int, str]:
        """Ask the proxy for a page under a host name; no redirect is followed."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        try:
            connection.request(
                "GET", path, headers={"Host": f"{host}:{self.port}", "User-Agent": BROWSER}
            )
            answer = connection.getresponse()
            return answer.status, answer.read().decode("utf-8", "replace")
        finally:
            connection.close()

    def seat_host(self, number: int) -> str:
        return f"seat{number:02d}.localhost"

    def answers(self, number: int) -> bool:
        """Whether the seat's Shiny app comes from a machine of this seat."""
        try:
            status, page = self.fetch(self.seat_host(number), "/shiny/hello/")
        except (OSError, http.client.HTTPException):
            return False
        return status == http.client.OK and "shiny" in page

    def inside(self, number: int, script: str) -> str:
        """Run a script as root in the machine that serves the seat now."""
        return self._asked(self.seats()[number]["machine"], script)

    def inside_each(self, script: str) -> dict[int, str]:
        """Run a script as root in the machines of all seats."""
        machines = {number: one["machine"] for number, one in self.seats().items()}
        with ThreadPoolExecutor(4) as pool:
            said = pool.map(lambda machine: self._asked(machine, script), machines.values())
            return dict(zip(machines, said, strict=True))

    def keepers(self) -> list[int]:
        """The processes of its keeper."""
        return keepers(self.host, self.name)

    def _asked(self, machine: str, script: str) -> str:
        # On a busy host, Incus's client may lose the output of a command: said twice, it is there
        said = ""
        for _ in range(3):
            said = self.host.incus("exec", "-T", machine, "--", "bash", "-c", script)
            if said:
                break
        return said


def keepers(host: Host, name: str) -> list[int]:
    """The processes of a workshop's keeper. Another user's workshop may have the same name."""
    ours, words = f"XDG_STATE_HOME={host.home / 'state'}".encode(), {b"keep", name.encode()}
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            is_ours = ours in (process / "environ").read_bytes().split(b"\0")
            is_keeper = words <= set((process / "cmdline").read_bytes().split(b"\0"))
            if is_ours and is_keeper and is_alive(int(process.name)):
                found.append(int(process.name))
    return found


def write_classroom(
    folder: Path, host: Host, mirror: Mirror, *, port: int, **said: Any
) -> Classroom:
    """Write a box with RStudio Server (the stand-in) and Shiny, and a workshop file of it."""
    (folder / "app").mkdir()
    (folder / "app" / "app.R").write_text(APP, "utf-8")
    box = {
        "version": 1,
        "base": "debian-12",
        "machine": {"cpus": 1, "memory_mb": 1024, "disk_gb": 8},
        "r": {"packages": {"source": "debian", "names": ["shiny"]}},
        "services": {"rstudio_server": {"version": RSTUDIO}, "shiny_server": {"port": 3838}},
        "apps": [{"name": "hello", "path": "app"}],
        "users": [{"name": "learner"}],
        "mirrors": {"rstudio": f"{mirror.url}/rstudio"},
    }
    (folder / "room.yml").write_text(yaml.safe_dump(box, sort_keys=False), "utf-8")
    workshop = {
        "version": 1,
        "description": "R for beginners",
        "box": "room.yml",
        "work_mb": 256,
        "listen": {"port": port, "page_port": port + 1},
        **said,
    }
    file = folder / "room.workshop.yml"
    file.write_text(yaml.safe_dump(workshop, sort_keys=False), "utf-8")
    return Classroom(host, file, port)


@contextmanager
def closed_after(classroom: Classroom) -> Iterator[Classroom]:
    """Whatever happens, nothing of the workshop stays."""
    try:
        yield classroom
    finally:
        classroom.command("down", "--no-collect", "--yes", expect=None)


@dataclass
class HeldWebsocket:
    """A websocket that is open through the proxy."""

    connection: socket.socket

    def closed(self) -> bool:
        """Whether the other end has gone."""
        self.connection.settimeout(0.2)
        try:
            return self.connection.recv(1, socket.MSG_PEEK) == b""
        except TimeoutError:
            return False


@contextmanager
def held_websocket(room: Classroom, number: int) -> Iterator[HeldWebsocket]:
    """Open a session of the seat's Shiny app, as its page in a browser does."""
    key = base64.b64encode(os.urandom(16)).decode()
    path = "/shiny/hello/__sockjs__/n=abcdefgh/123/abcdefgh/websocket"
    connection = socket.create_connection(("127.0.0.1", room.port), timeout=30)
    with connection:
        lines = (
            f"GET {path} HTTP/1.1",
            f"Host: {room.seat_host(number)}:{room.port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
            f"Origin: http://{room.seat_host(number)}:{room.port}",
        )
        connection.sendall("\r\n".join((*lines, "", "")).encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            piece = connection.recv(4096)
            assert piece, answer
            answer += piece
        assert answer.startswith(b"HTTP/1.1 101"), answer
        # What came with the answer is read, so that the end shows at once
        connection.settimeout(1)
        with suppress(TimeoutError):
            connection.recv(65536)
        yield HeldWebsocket(connection)
