"""HTTP as the checks speak it: never through a proxy, every answer kept, whatever its status."""

import base64
import http.client
import secrets
import time
import urllib.error
import urllib.request
from contextlib import closing
from dataclasses import dataclass
from urllib.parse import urlsplit


class NoAnswer(Exception):  # noqa: N818  (it is a finding about the machine, not an error of ours)
    """Nothing came back: refused, cut off, or not in time."""


class Refused(NoAnswer):
    """Nobody listened: the request has reached nothing."""


@dataclass(frozen=True)
class WebAnswer:
    """What a server answered."""

    url: str
    status: int
    content_type: str
    body: str
    elapsed_s: float
    """From the first byte sent to the last byte received."""


def fetch(url: str, *, timeout_s: float, data: bytes | None = None) -> WebAnswer:
    """GET `url`, or POST `data` to it.

    Raises:
        NoAnswer: with the reason in a few words.
    """
    # A proxy of the user's own cannot reach the machine, and would answer in its place
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "text/plain"})  # noqa: S310
    started = time.monotonic()
    try:
        try:
            answer = opener.open(request, timeout=timeout_s)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            body = answer.read()
            status = int(answer.status or 0)
            content_type = answer.headers.get("Content-Type", "")
    except (OSError, ValueError, http.client.HTTPException) as error:
        cause = getattr(error, "reason", error)
        kind = Refused if isinstance(cause, ConnectionRefusedError) else NoAnswer
        raise kind(_reason(error)) from error
    elapsed_s = time.monotonic() - started
    return WebAnswer(url, status, content_type, body.decode("utf-8", "replace"), elapsed_s)


def ask_for_websocket(url: str, *, timeout_s: float) -> int:
    """The status that comes when `url` is asked for a websocket: 101 where there is one.

    Raises:
        NoAnswer: with the reason in a few words.
    """
    place = urlsplit(url)
    if not place.netloc:
        # Python would ask this host
        raise NoAnswer("it is not known where")
    asked = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(secrets.token_bytes(16)).decode(),
    }
    with closing(http.client.HTTPConnection(place.netloc, timeout=timeout_s)) as connection:
        try:
            connection.request("GET", place.path, headers=asked)
            return connection.getresponse().status
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise NoAnswer(_reason(error)) from error


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    if isinstance(reason, TimeoutError):
        return "no answer in time"
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror.lower()
    return str(reason) or type(reason).__name__
