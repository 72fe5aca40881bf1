"""Wait until the servers of a machine answer, at the addresses where the proxy will find them."""

import http.client
from collections.abc import Mapping
from typing import Final

from sandbox.deadline import Deadline, wait_until
from sandbox.endpoints import BROWSER

READY_S: Final = 60.0
_EVERY_S: Final = 0.05
_ASK_S: Final = 5.0
_BROKEN: Final = 500


def silent_servers(upstreams: Mapping[int, str], *, timeout_s: float) -> tuple[str, ...]:
    """Wait until each server answers; return what is wrong with those that do not in time.

    Any answer below 500 will do: a sign-in page, a redirect, an empty folder.
    """
    deadline = Deadline(timeout_s)
    said: dict[int, str] = {}
    for port, upstream in sorted(upstreams.items()):

        def ask(place: str = upstream) -> str:
            return answer_of(place)

        if wrong := wait_until(ask, deadline, every_s=_EVERY_S, enough=lambda one: not one):
            said[port] = f"port {port}: {wrong}"
    return tuple(said.values())


def answer_of(upstream: str, *, timeout_s: float = _ASK_S) -> str:
    """Ask a server for its first page: empty when it answers, else what is wrong in a few words."""
    host, _, port = upstream.rpartition(":")
    connection = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=timeout_s)
    try:
        connection.request("GET", "/", headers={"User-Agent": BROWSER, "Connection": "close"})
        answer = connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        return str(error) or type(error).__name__
    finally:
        connection.close()
    return f"HTTP {answer.status}" if answer.status >= _BROKEN else ""
