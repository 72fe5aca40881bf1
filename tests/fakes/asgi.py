"""A stand-in for a web server and a browser: calls an app as a server would, without a network."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode, urlsplit

from starlette.types import ASGIApp


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    cookies: dict[str, Any]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class Visitor:
    """A browser that keeps cookies."""

    app: ASGIApp
    host: str
    cookies: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    """Sent with each request; a value of `` leaves one out."""

    def get(self, path: str, **headers: str) -> Answer:
        return asyncio.run(self.ask("GET", path, b"", headers))

    def post(self, path: str, form: Mapping[str, str] | None = None, **headers: str) -> Answer:
        body = urlencode(form or {}).encode()
        return self.send(path, body, "application/x-www-form-urlencoded", **headers)

    def send(self, path: str, body: bytes, content_type: str, **headers: str) -> Answer:
        sent = {"content-type": content_type, "content-length": str(len(body))}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent |= {"origin": f"http://{self.host}", **named}
        return asyncio.run(self.ask("POST", path, body, sent))

    async def ask(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Ask within a loop that runs already."""
        address = urlsplit(path)
        sent = {"host": self.host, **self.headers, **(headers or {})}
        if self.cookies:
            sent["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        said: list[Any] = []
        given = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Any:
            if given:
                return given.pop()
            await asyncio.sleep(3600)
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            said.append(message)

        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method,
            "scheme": "http", "path": address.path, "raw_path": address.path.encode(),
            "query_string": address.query.encode(), "root_path": "",
            "headers": [
                (name.replace("_", "-").encode(), value.encode())
                for name, value in sent.items() if value
            ],
            "client": ("192.0.2.50", 5000), "server": ("127.0.0.1", 80),
        }  # fmt: skip
        await self.app(scope, receive, send)
        start = next(one for one in said if one["type"] == "http.response.start")
        found, cookies = {}, SimpleCookie()
        for name, value in start["headers"]:
            if name.lower() == b"set-cookie":
                cookies.load(value.decode())
            found[name.decode().lower()] = value.decode()
        for name, morsel in cookies.items():
            self.cookies[name] = morsel.value
        parts = (one.get("body", b"") for one in said if one["type"] == "http.response.body")
        return Answer(start["status"], found, dict(cookies), b"".join(parts))
