"""A Shiny session without a browser: start one, and see whether the app computes an output.

Shiny Server speaks SockJS; its xhr-polling transport needs nothing but HTTP POSTs. Over it run
Shiny's messages in a channel: `0|o|` opens it, `0|m|{json}` is a message, `0|c|{json}` closes it.
"""

import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from sandbox.checks.shiny_page import ShinyPage
from sandbox.checks.web import NoAnswer, WebAnswer, fetch
from sandbox.deadline import Deadline

_POLL_S = 10.0
_SIZE_PX = {"width": 600, "height": 400}


@dataclass(frozen=True)
class SessionOutcome:
    """How far a session came."""

    ok: bool
    summary: str
    """In a few words: `computed rows, distPlot`, or what went wrong."""
    elapsed_s: float
    values: tuple[str, ...] = ()
    errors: dict[str, str] = field(default_factory=dict)
    """Of outputs: the message that users see."""


class _Ended(Exception):  # noqa: N818
    """The session is over before it came to anything."""


def try_session(app_url: str, page: ShinyPage, *, timeout_s: float) -> SessionOutcome:
    """Open a session of the app at `app_url` (with a slash at the end), and wait for an output."""
    started = time.monotonic()
    session = _Session(app_url, page, Deadline(timeout_s))
    try:
        session.open()
        ok, summary = session.watch()
        session.close()
    except (_Ended, NoAnswer) as error:
        ok, summary = False, str(error)
    return SessionOutcome(
        ok, summary, time.monotonic() - started, tuple(session.values), dict(session.errors)
    )


def session_url(app_url: str) -> str:
    """Where a new session of the app at `app_url` is reached; SockJS adds the transport to it."""
    return f"{app_url}__sockjs__/{secrets.randbelow(1000):03d}/{secrets.token_hex(4)}"


class _Session:
    def __init__(self, app_url: str, page: ShinyPage, deadline: Deadline) -> None:
        self._app_url = app_url
        self._url = session_url(app_url)
        self._page = page
        self._deadline = deadline
        self._configured = False
        self._silent: set[str] = set()
        self.values: list[str] = []
        self.errors: dict[str, str] = {}

    def open(self) -> None:
        """Open the channel and send what a browser sends first."""
        if (opened := self._post("/xhr").body.strip()) != "o":
            raise _Ended(f"the session does not open: {opened[:80] or 'an empty answer'}")
        self._send("0|o|")
        self._send("0|m|" + json.dumps({"method": "init", "data": self._first_values()}))

    def watch(self) -> tuple[bool, str]:
        """Read until an output is there, or something says that none will come."""
        while not self._deadline.is_over:
            for message in self._receive():
                self._take(message)
            if verdict := self._verdict():
                return verdict
        if not self._configured:
            return False, "the session did not start in time"
        return False, "the session started, but no output came in time"

    def close(self) -> None:
        """Say goodbye, so that the app ends the session now and not after its reconnect time."""
        self._send("0|c|{}")

    def _verdict(self) -> tuple[bool, str] | None:
        if self.errors and not (self.values and self._page.dynamic):
            name, text = next(iter(self.errors.items()))
            return False, f"the output {name} fails: {text}"
        if self.values:
            return True, f"computed {', '.join(self.values[:5])}"
        if self._configured and not self._page.outputs:
            return True, "the session started; the page names no output to wait for"
        if self._page.outputs and self._silent.issuperset(self._page.outputs):
            return True, "the session started; its outputs wait for the user's input"
        return None

    def _take(self, message: dict[str, Any]) -> None:
        if "config" in message:
            self._configured = True
        custom = message.get("custom")
        alert = custom.get("alert") if isinstance(custom, dict) else None
        if isinstance(alert, str):
            raise _Ended(" ".join(alert.split("\r\n\r\n")[0].split()))
        for name, value in (message.get("values") or {}).items():
            if value is not None and not name.startswith("."):
                self.values.append(str(name))
        for name, error in (message.get("errors") or {}).items():
            text = error.get("message") if isinstance(error, dict) else str(error)
            # req() and validate(need(…)) wait for the user: no failure
            kinds = error.get("type") if isinstance(error, dict) else None
            if not text or "shiny.silent.error" in (kinds or ()) or "validation" in (kinds or ()):
                self._silent.add(str(name))
            else:
                self.errors[str(name)] = str(text)

    def _receive(self) -> list[dict[str, Any]]:
        frame = self._post("/xhr").body.strip()
        if frame.startswith("c"):
            raise _Ended(f"the server closed the connection: {frame[1:120]}")
        if not frame.startswith("a"):
            return []
        messages: list[dict[str, Any]] = []
        for text in json.loads(frame[1:]):
            _, kind, body = str(text).split("|", 2)
            if kind == "c":
                reason = json.loads(body or "{}").get("reason")
                raise _Ended(str(reason or "the server closed the session: the app does not start"))
            if kind == "m":
                message = json.loads(body)
                if isinstance(message, dict):
                    messages.append(message)
        return messages

    def _first_values(self) -> dict[str, object]:
        values: dict[str, object] = dict(self._page.inputs)
        # Shiny computes no output that it believes to be hidden
        for name in self._page.outputs:
            values[f".clientdata_output_{name}_hidden"] = False
            for side, size_px in _SIZE_PX.items():
                values[f".clientdata_output_{name}_{side}"] = size_px
        values[".clientdata_pixelratio"] = 1
        values[".clientdata_singletons"] = ""
        scheme, _, rest = self._app_url.partition("//")
        host, _, path = rest.partition("/")
        hostname, _, port = host.partition(":")
        parts = {"protocol": scheme, "hostname": hostname, "port": port, "pathname": f"/{path}"}
        parts |= {"search": "", "hash": "", "hash_initial": ""}
        return values | {f".clientdata_url_{name}": value for name, value in parts.items()}

    def _send(self, text: str) -> None:
        answer = self._post("/xhr_send", json.dumps([text]).encode())
        if answer.status not in {200, 204}:
            raise _Ended(f"the session refuses a message: HTTP {answer.status}")

    def _post(self, path: str, data: bytes = b"") -> WebAnswer:
        left_s = max(0.1, min(_POLL_S, self._deadline.left_s))
        page = fetch(self._url + path, data=data, timeout_s=left_s)
        if page.status >= 400:  # noqa: PLR2004
            raise _Ended(f"the session does not open: HTTP {page.status}")
        return page
