"""A real web server with faults on demand, an authority of its own, and a real proxy."""

import contextlib
import datetime
import hashlib
import ipaddress
import select
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

BODY = b"0123456789abcdef" * 20_000
SHA256 = hashlib.sha256(BODY).hexdigest()


@dataclass
class Web:
    """The address of a server, and what it was asked."""

    url: str
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


class Handler(BaseHTTPRequestHandler):
    """The first folder of a path names the fault."""

    protocol_version = "HTTP/1.1"
    web: Web
    stall_s = 3.0

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._note()
        if self.path.startswith("/nohead"):
            self._answer(405, b"")
        elif self.path.startswith("/status"):
            self._status()
        else:
            self._answer(404 if self.path.startswith("/none") else 200, b"", length=len(BODY))

    def do_GET(self) -> None:
        self._note()
        fault = self.path.split("/")[1]
        before = self.web.asked.count(f"GET {self.path}")
        if fault == "slow":
            self._slowly()
        elif fault == "endless":
            self._endless()
        elif fault == "status":
            self._status()
        elif fault in {"to", "round"}:
            where = self.path.removeprefix("/to/")
            self._answer(302, b"", extra={"Location": where})
        elif fault in {"busy", "verybusy"}:
            is_over = fault == "busy" and before > 1
            pause = "1" if fault == "busy" else "3600"
            self._answer(200 if is_over else 429, BODY, extra={"Retry-After": pause})
        else:
            self._answer_with(fault, before)

    def _answer_with(self, fault: str, before: int) -> None:
        """Answer with the body, or what the fault makes of it."""
        if fault == "cut":
            # Whole only at the third time
            self._answer(200, BODY[: 50_000 if before < 3 else None], length=len(BODY))
        elif fault == "alwayscut":
            self._answer(200, BODY[:50_000], length=len(BODY))
        elif fault == "stall":
            self._answer(200, BODY[:50_000], length=len(BODY), then_wait_s=self.stall_s)
        elif fault == "short":
            # Says less than it has
            self._answer(200, BODY, length=1000)
        elif fault == "page":
            self._answer(200, b"<html>sign in</html>", kind="text/html; charset=utf-8")
        elif fault == "other":
            self._answer(200, BODY[::-1])
        else:
            self._answer(404 if fault == "none" else 200, BODY)

    def _status(self) -> None:
        self._answer(int(self.path.split("/")[2]), b"")

    def _note(self) -> None:
        self.web.asked.append(f"{self.command} {self.path}")
        self.web.headers.append(dict(self.headers))

    def _answer(
        self,
        status: int,
        body: bytes,
        *,
        length: int | None = None,
        kind: str = "application/octet-stream",
        extra: dict[str, str] | None = None,
        then_wait_s: float = 0,
    ) -> None:
        self.send_response(status, "own words\x1b[2J")
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.send_header("Content-Type", kind)
        for name, value in (extra or {}).items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(OSError):
            if self.command != "HEAD":
                self.wfile.write(body)
                self.wfile.flush()
            time.sleep(then_wait_s)
        if length not in (None, len(body)):
            self.close_connection = True

    def _slowly(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        with contextlib.suppress(OSError):
            for start in range(0, len(BODY), len(BODY) // 12):
                self.wfile.write(BODY[start : start + len(BODY) // 12])
                time.sleep(0.2)

    def _endless(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")


@contextlib.contextmanager
def serving(context: ssl.SSLContext | None = None, **changes: Any) -> Iterator[Web]:
    """A server on a free port of 127.0.0.1; with a context, it speaks TLS."""
    web = Web("")
    handler = type("OwnHandler", (Handler,), {"web": web, **changes})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    if context is not None:
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    scheme = "http" if context is None else "https"
    web.url = f"{scheme}://127.0.0.1:{server.server_address[1]}"
    with _in_thread(server):
        yield web


class ProxyHandler(BaseHTTPRequestHandler):
    """A small HTTP proxy: CONNECT is a tunnel, and a GET of a whole URL is passed on."""

    web: Web
    wanted_login = ""

    def log_message(self, *_: object) -> None:
        pass

    def do_CONNECT(self) -> None:
        if not self._allowed():
            return
        host, _, port = self.path.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=10) as there:
            self.send_response(200)
            self.end_headers()
            self.wfile.flush()
            _tunnel(self.connection, there)
        self.close_connection = True

    def do_GET(self) -> None:
        if not self._allowed():
            return
        parts = urlsplit(self.path)
        with socket.create_connection((parts.hostname or "", parts.port or 80), timeout=10) as to:
            kept = {
                name: value
                for name, value in self.headers.items()
                if name.lower() not in {"host", "connection"} and "proxy" not in name.lower()
            }
            lines = [f"GET {parts.path} HTTP/1.1", f"Host: {parts.netloc}", "Connection: close"]
            lines += [f"{name}: {value}" for name, value in kept.items()]
            to.sendall("\r\n".join([*lines, "", ""]).encode())
            while chunk := to.recv(65536):
                self.connection.sendall(chunk)
        self.close_connection = True

    def _allowed(self) -> bool:
        self.web.asked.append(f"{self.command} {self.path}")
        if self.wanted_login and self.headers.get("Proxy-Authorization") != self.wanted_login:
            self.send_response(407)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return False
        return True


@contextlib.contextmanager
def proxying(wanted_login: str = "") -> Iterator[Web]:
    """A proxy on a free port of 127.0.0.1, which notes what it was asked."""
    web = Web("")
    handler = type("OwnProxy", (ProxyHandler,), {"web": web, "wanted_login": wanted_login})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    web.url = f"http://127.0.0.1:{server.server_address[1]}"
    with _in_thread(server):
        yield web


@contextlib.contextmanager
def _in_thread(server: ThreadingHTTPServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _tunnel(one: socket.socket, other: socket.socket) -> None:
    while True:
        readable = select.select([one, other], [], [], 10)[0]
        if not readable:
            return
        for ready in readable:
            if not (data := ready.recv(65536)):
                return
            (other if ready is one else one).sendall(data)


def authority(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """Make an authority (its PEM file), and what a server of 127.0.0.1 needs, signed by it."""
    now = datetime.datetime.now(datetime.UTC)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in ("Bank", "web")]

    def signed(which: int, *extensions: tuple[x509.ExtensionType, bool]) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(names[which])
            .issuer_name(names[0])
            .public_key(keys[which].public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(keys[0], hashes.SHA256())

    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    by = x509.AuthorityKeyIdentifier.from_issuer_public_key(keys[0].public_key())
    own = x509.SubjectKeyIdentifier.from_public_key(keys[0].public_key())
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    root = signed(
        0, (x509.BasicConstraints(ca=True, path_length=0), True), (own, False), (usage, True)
    )
    leaf = signed(1, (here, False), (by, False))
    pem = folder / "bank.pem"
    pem.write_bytes(root.public_bytes(serialization.Encoding.PEM))
    server = folder / "server.pem"
    server.write_bytes(
        keys[1].private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + leaf.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server)
    return pem, context
