"""A stand-in for the servers of all seats: one listener on many addresses of 127.0.0.0/8.

A plain request is answered with what came, as JSON; a websocket is echoed, with the address in
front. So a test sees which machine answered, and what the proxy sent it.
"""

import base64
import hashlib
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


@dataclass
class EchoSeats:
    """Listens on every address of this host."""

    listener: socket.socket = field(default_factory=socket.socket)
    location: str = ""
    """Answers with this redirect, when it is not empty."""

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    @contextmanager
    def serving(self) -> Iterator["EchoSeats"]:
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("0.0.0.0", 0))
        self.listener.listen(200)
        threading.Thread(target=self._accept, daemon=True).start()
        try:
            yield self
        finally:
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()

    def _accept(self) -> None:
        while True:
            try:
                one, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(one,), daemon=True).start()

    def _serve(self, one: socket.socket) -> None:
        address = one.getsockname()[0]
        with one:
            try:
                head, body = _head(one)
            except ConnectionError:
                return
            words, headers = parse(head)
            if headers.get("upgrade", "").lower() == "websocket":
                self._websocket(one, address, headers["sec-websocket-key"])
                return
            length = int(headers.get("content-length", 0))
            while len(body) < length and (more := one.recv(65536)):
                body += more
            answer = json.dumps(
                {"address": address, "path": words[1], "headers": headers, "body": len(body)}
            )
            moved = f"Location: {self.location}\r\n" if self.location else ""
            status = "302 Found" if self.location else "200 OK"
            text = f"HTTP/1.1 {status}\r\n{moved}Set-Cookie: user-id=ann; path=/\r\n"
            one.sendall(
                f"{text}Content-Length: {len(answer)}\r\nConnection: close\r\n\r\n{answer}".encode()
            )

    @staticmethod
    def _websocket(one: socket.socket, address: str, key: str) -> None:
        accept = base64.b64encode(hashlib.sha1(key.encode() + _MAGIC).digest()).decode()
        one.sendall(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
        )
        try:
            while True:
                send_text(one, f"{address} {read_text(one)}", masked=False)
        except (ConnectionError, OSError):
            return


class WebSocket:
    """A client's websocket, through a proxy."""

    def __init__(self, proxy: tuple[str, int], host: str, path: str = "/websocket/") -> None:
        self.socket = socket.create_connection(proxy, timeout=10)
        key = base64.b64encode(b"sixteen bytes ok").decode()
        head = (
            f"GET {path} HTTP/1.1\r\nHost: {host}:{proxy[1]}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        self.socket.sendall(head.encode())
        answer, _ = _head(self.socket)
        self.status = int(parse(answer)[0][1])

    def ask(self, text: str) -> str:
        send_text(self.socket, text, masked=True)
        return read_text(self.socket)

    def is_open(self) -> bool:
        try:
            return self.ask("still there?").endswith("still there?")
        except OSError:
            return False

    def close(self) -> None:
        self.socket.close()


def send_text(one: socket.socket, text: str, *, masked: bool) -> None:
    data = text.encode()
    mask = b"abcd" if masked else b""
    body = bytes(byte ^ mask[at % 4] if mask else byte for at, byte in enumerate(data))
    one.sendall(bytes([0x81, len(data) | (0x80 if masked else 0)]) + mask + body)


def read_text(one: socket.socket) -> str:
    head = _exactly(one, 2)
    mask = _exactly(one, 4) if head[1] & 0x80 else b""
    data = _exactly(one, head[1] & 0x7F)
    plain = bytes(byte ^ mask[at % 4] if mask else byte for at, byte in enumerate(data))
    return plain.decode()


def parse(head: bytes) -> tuple[list[str], Mapping[str, str]]:
    first, *rest = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in rest if line)
    return first.split(" "), {name.lower(): value.strip() for name, _, value in pairs}


def _head(one: socket.socket) -> tuple[bytes, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        more = one.recv(65536)
        if not more:
            raise ConnectionError("closed")
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    return head, body


def _exactly(one: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = one.recv(count - len(data))
        if not more:
            raise ConnectionError("closed")
        data += more
    return data
