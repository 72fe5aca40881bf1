"""Whether a real web server hands on a websocket, asked as the checks ask."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sandbox.checks.live import LiveMachine
from sandbox.checks.web import NoAnswer


class _Server(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        asks = self.headers["Upgrade"] == "websocket" and "Upgrade" in self.headers["Connection"]
        known = "/app/__sockjs__/" in self.path and self.path.endswith("/websocket")
        self.send_response(101 if asks and known else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_real_server_switches_to_a_websocket(address: str) -> None:
    machine = LiveMachine("http://127.0.0.1:1", lambda *_: None, urls={"front": address})  # type: ignore[arg-type]
    assert machine.through("front").websocket("/app/") == 101
    assert machine.through("front").websocket("/other/") == 404
    for elsewhere in (machine, machine.through("nobody")):
        with pytest.raises(NoAnswer):
            elsewhere.websocket("/app/")
