"""A browser of the tests' own for the stand-in: the product has another, and shares no code."""

import base64
import http.client
import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

_QUIT = {"id": -1, "type": "quit"}
"""What a session that cannot be asked any more has come to."""
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/120.0.0.0 Safari/537.36"


@dataclass(frozen=True)
class Answer:
    """What the server said."""

    status: int
    headers: list[tuple[str, str]]
    text: str

    @property
    def location(self) -> str:
        """Where it sends us."""
        return next((value for key, value in self.headers if key.lower() == "location"), "")

    @property
    def error(self) -> str:
        """The number in `error=` of the address that it sends us to."""
        return parse_qs(urlsplit(self.location).query).get("error", [""])[0]


@dataclass
class StandinClient:
    """One browser, with its cookies."""

    host: str
    port: int
    agent: str = BROWSER
    cookies: dict[str, str] = field(default_factory=dict)
    client_id: str = ""

    def ask(self, method: str, path: str, body: str = "", **headers: str) -> Answer:
        """Send one request, and keep the cookies of the answer."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=90)
        sent = {"User-Agent": self.agent, **headers}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{key}={value}" for key, value in self.cookies.items())
        connection.request(method, path, body.encode(), sent)
        reply = connection.getresponse()
        answer = Answer(reply.status, reply.getheaders(), reply.read().decode())
        connection.close()
        for key, value in answer.headers:
            if key.lower() == "set-cookie":
                name, _, rest = value.partition("=")
                self.cookies[name] = rest.partition(";")[0]
        return answer

    def encrypted(self, user: str, password: str) -> str:
        """Encrypt as the page does."""
        exponent, modulus = self.ask("GET", "/auth-public-key").text.split(":")
        size = (len(modulus) + 1) // 2
        message = f"{user}\n{password}".encode()
        padding = bytes(secrets.randbelow(255) + 1 for _ in range(size - len(message) - 3))
        block = int.from_bytes(b"\0\2" + padding + b"\0" + message, "big")
        made = pow(block, int(exponent, 16), int(modulus, 16))
        return base64.b64encode(made.to_bytes(size, "big")).decode()

    def sign_in(
        self,
        user: str,
        password: str,
        *,
        encrypts: bool = True,
        fields: dict[str, str] | None = None,
    ) -> Answer:
        """Sign in; `fields` win over what the page would send."""
        self.ask("GET", "/auth-sign-in?appUri=%2F")
        form = {
            **(
                {"v": self.encrypted(user, password)}
                if encrypts
                else {"username": user, "password": password}
            ),
            "persist": "0",
            "appUri": "/",
            "clientPath": "/auth-sign-in",
            "rs-csrf-token": self.cookies.get("rs-csrf-token", ""),
            **(fields or {}),
        }
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.ask("POST", "/auth-do-sign-in", urlencode(form), **kind)

    def call(self, path: str, *params: object) -> dict[str, Any]:
        """Call a method of the session; gives the whole answer."""
        content = {
            "method": path.rsplit("/", 1)[-1],
            "params": params,
            "clientId": self.client_id,
            "clientVersion": "",
        }
        token = {"X-RS-CSRF-Token": self.cookies.get("rs-csrf-token", "")}
        answer: dict[str, Any] = json.loads(
            self.ask("POST", path, json.dumps(content), **token).text
        )
        return answer

    def start_session(self) -> dict[str, Any]:
        """Take the session over, started when there is none; gives the whole answer."""
        self.client_id = ""
        answer = self.call("/rpc/client_init", f"http://{self.host}:{self.port}/")
        self.client_id = answer.get("result", {}).get("clientId", "")
        return answer

    def run(self, code: str, *, timeout_s: float = 60) -> str:
        """Run R code, and wait for what it writes."""
        events = self.call("/events/get_events", -1).get("result", [])
        last, text = max((event["id"] for event in events), default=-1), ""
        assert self.call("/rpc/console_input", code, "", 0) == {"result": None}
        deadline, was_busy = time.monotonic() + timeout_s, False
        while time.monotonic() < deadline:
            for event in self.call("/events/get_events", last).get("result", [_QUIT]):
                last = event["id"]
                was_busy = was_busy or event == {"id": last, "type": "busy", "data": True}
                if event["type"] == "console_output" and was_busy:
                    text += event["data"]["text"]
                if event["type"] == "quit":
                    return text
                if was_busy and event["type"] == "busy" and not event["data"]:
                    return text
        raise TimeoutError(code)
