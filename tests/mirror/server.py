"""Serve the mirror over HTTP or HTTPS, keep a log of what was asked, and misbehave when told to."""

import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.mirror import rstudio
from tests.mirror.contents import Contents
from tests.mirror.site import Answer, Asked, Settings, Site


@dataclass(frozen=True)
class Request:
    """A request that was made."""

    method: str
    path: str
    """With its query, as it came."""
    user_agent: str
    status: int


@dataclass
class Mirror:
    """A running mirror, and the knobs of it."""

    url: str
    site: Site
    log: list[Request] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)
    other_bytes: dict[str, bytes] = field(default_factory=dict)
    stalls_s: dict[str, float] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        """What the site shows: `mirror.settings.today = "2023-06-12"` and the like."""
        return self.site.settings

    @property
    def contents(self) -> Contents:
        """The files that are served."""
        return self.site.contents

    def vanish(self, path: str) -> None:
        """Let a path (without a query) answer 404 from now on; a bare file name, wherever it is."""
        self.gone.add(path)

    def serve(self, path: str, data: bytes) -> None:
        """Let a path answer with these bytes from now on, whatever was there."""
        self.other_bytes[path] = data

    def stall(self, path: str, seconds: float) -> None:
        """Let a path send half of its bytes, and the rest only after a time."""
        self.stalls_s[path] = seconds

    def add_rstudio(self, deb: Path, version: str, *, of: str = "jammy") -> str:
        """Offer an RStudio Server; return its path below the mirror's URL."""
        place = rstudio.add(self.site.rstudio_folder, deb, version, of=of)
        return f"/rstudio/{place.relative_to(self.site.rstudio_folder)}"

    def asked(self, part: str = "") -> list[str]:
        """Return the paths that were asked for and have this in them, in order."""
        return [request.path for request in self.log if part in request.path]

    def reset(self) -> None:
        """Turn all knobs back and empty the log; RStudio's packages stay."""
        self.site.settings = Settings()
        for knob in (self.log, self.gone, self.other_bytes, self.stalls_s):
            knob.clear()


@contextmanager
def serving(
    contents: Contents,
    rstudio_folder: Path,
    *,
    address: str = "127.0.0.1",
    port: int = 0,
    certificate: ssl.SSLContext | None = None,
) -> Iterator[Mirror]:
    """Serve in a thread; port 0 takes a free one."""
    mirror = Mirror("", Site(contents, rstudio_folder))
    server = _Server((address, port), mirror)
    if certificate is not None:
        server.socket = certificate.wrap_socket(server.socket, server_side=True)
    scheme = "http" if certificate is None else "https"
    mirror.url = f"{scheme}://{address}:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield mirror
    finally:
        server.ending.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], mirror: Mirror) -> None:
        self.mirror = mirror
        self.ending = threading.Event()
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that leaves early, or refuses the certificate, is a test."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "tests-mirror"
    timeout = 60
    server: _Server

    def do_GET(self) -> None:
        """Answer with headers and bytes."""
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        """Answer with headers only."""
        self._answer(with_body=False)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: the log is a list."""

    def _answer(self, *, with_body: bool) -> None:
        mirror = self.server.mirror
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        agent = self.headers.get("User-Agent", "")
        answer = self._look_up(Asked(path, dict(parse_qsl(parts.query)), agent))
        status = 404 if answer is None else 200
        mirror.log.append(Request(self.command, self.path, agent, status))
        body = b"not found\n" if answer is None else answer.data()
        self.send_response(status)
        self.send_header("Content-Type", answer.content_type if answer else "text/plain")
        self.send_header("Content-Length", str(len(body)))
        for name, value in (answer.headers if answer else {}).items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self._send(body, mirror.stalls_s.get(path, 0.0))

    def _look_up(self, asked: Asked) -> Answer | None:
        mirror = self.server.mirror
        if mirror.gone & {asked.path, asked.path.rpartition("/")[2]}:
            return None
        answer = mirror.site.answer(asked)
        other = mirror.other_bytes.get(asked.path)
        if other is None:
            return answer
        return Answer(other, headers=answer.headers if answer else {})

    def _send(self, body: bytes, stall_s: float) -> None:
        if stall_s:
            half = len(body) // 2
            self.wfile.write(body[:half])
            self.wfile.flush()
            self.server.ending.wait(stall_s)
            body = body[half:]
        self.wfile.write(body)


def wait_for_ever() -> None:
    """Sleep until somebody presses Ctrl-C."""
    while True:
        time.sleep(3600)
