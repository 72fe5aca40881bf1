"""A mirror of the distribution's archives: it passes on what the archives of this host answer."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import urllib3

from sandbox.images.sources import host_archives

_CHUNK = 1 << 16
_ASKS = ("If-Modified-Since", "Range", "If-Range")
_SAYS = ("Content-Type", "Content-Length", "Content-Range", "Last-Modified", "Accept-Ranges")


class NoArchivesError(Exception):
    """This host's apt has no archives of Debian to pass on."""


def upstream() -> dict[str, str]:
    """Return where `/debian` and `/debian-security` of this host really are.

    Raises:
        NoArchivesError: this host uses none.
    """
    found: dict[str, str] = {}
    for one in host_archives():
        kind = "debian-security" if one.suite.endswith("-security") else "debian"
        if one.suite.startswith("bookworm"):
            found.setdefault(kind, one.uri.rstrip("/"))
    if set(found) != {"debian", "debian-security"}:
        raise NoArchivesError(f"apt of this host only knows {sorted(found)} of Debian 12")
    return found


@contextmanager
def passing_on(address: str) -> Iterator[tuple[str, list[str]]]:
    """Serve at `address`; yield the URL, and the list of paths that were asked for."""
    log: list[str] = []
    server = _Server((address, 0), upstream(), log)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://{address}:{server.server_address[1]}", log
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        server.pool.clear()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], places: dict[str, str], log: list[str]) -> None:
        self.places = places
        self.log = log
        self.pool = urllib3.PoolManager(maxsize=16)
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: apt leaves when it has what it wants."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "tests-archives"
    timeout = 60
    server: _Server

    def do_GET(self) -> None:
        """Pass on the answer of the real archive."""
        self._pass_on("GET")

    def do_HEAD(self) -> None:
        """Pass on the headers of the real archive."""
        self._pass_on("HEAD")

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: the log is a list."""

    def _pass_on(self, method: str) -> None:
        self.server.log.append(self.path)
        kind, _, rest = urlsplit(self.path).path.lstrip("/").partition("/")
        place = self.server.places.get(kind)
        if place is None:
            self.send_error(404)
            return
        asks = {name: self.headers[name] for name in _ASKS if name in self.headers}
        answer = self.server.pool.request(
            method, f"{place}/{rest}", headers=asks, preload_content=False, timeout=60
        )
        try:
            self.send_response(answer.status)
            for name in _SAYS:
                if name in answer.headers:
                    self.send_header(name, answer.headers[name])
            if "Content-Length" not in answer.headers:
                self.send_header("Connection", "close")
            self.end_headers()
            for chunk in answer.stream(_CHUNK):
                self.wfile.write(chunk)
        finally:
            answer.release_conn()
