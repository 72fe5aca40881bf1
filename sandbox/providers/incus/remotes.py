"""Which remote is asked: of several that lead to one cluster, the first that answers.

Every member of a cluster answers for all of it. The choice is remembered, and made again when the
chosen one does not take a connection any more; nothing is kept beyond the process.
"""

import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

CONNECT_S: Final = 1.5
"""Seconds until a server that takes no connection counts as one that does not answer."""
_TRUSTED_S: Final = 0.1
"""Seconds for which the last look at the chosen remote holds."""
_PORT: Final = 8443


class AnsweringRemote:
    """The remotes of one cluster, and the one that answered last. May be used from threads."""

    def __init__(self, names: tuple[str, ...], urls: Callable[[], Mapping[str, str]]) -> None:
        self._names = names
        self._urls = urls
        self._known: Mapping[str, str] | None = None
        self._chosen = names[0]
        self._looked_at = -_TRUSTED_S
        self._lock = threading.Lock()
        self._straight: dict[str, str] = {}

    def now(self) -> str:
        """Return the remote to ask; the first one when none takes a connection."""
        if len(self._names) == 1:
            return self._names[0]
        with self._lock:
            if time.monotonic() - self._looked_at < _TRUSTED_S:
                return self._chosen
            others = (one for one in self._names if one != self._chosen)
            found = (one for one in (self._chosen, *others) if takes_connections(self.url(one)))
            self._chosen = next(found, self._names[0])
            self._looked_at = time.monotonic()
            return self._chosen

    @property
    def asked(self) -> str:
        """The remote that was chosen last; it may have died since."""
        return self._chosen

    def look_again(self) -> None:
        """Look before the next call, because the last one failed."""
        self._looked_at = -_TRUSTED_S

    def leading_to(self, url: str) -> str:
        """Return the remote that leads straight to a server; empty when the user has none."""
        if url not in self._straight:
            wanted = _address(url)
            # Those of the cluster may have names of a DNS; to look up any others may take long
            found = [one for one in self._names if _address(self.url(one)) == wanted]
            found += [one for one in self._known or () if self.url(one) == url]
            self._straight[url] = found[0] if found else ""
        return self._straight[url]

    def url(self, name: str) -> str:
        """Return where a remote is, as the user's `incus` knows it; empty when it does not."""
        if self._known is None:
            self._known = self._urls()
        return self._known.get(name, "")


def takes_connections(url: str, timeout_s: float = CONNECT_S) -> bool:
    """Tell whether a server takes a connection: the quickest sign that it lives."""
    host, port = host_and_port(url)
    with suppress(OSError), socket.create_connection((host, port), timeout=timeout_s):
        return True
    return False


def _address(url: str) -> tuple[str, int]:
    """The address of a server, also when its URL has a name."""
    host, port = host_and_port(url)
    with suppress(OSError):
        return socket.gethostbyname(host) if host else "", port
    return host, port


def host_and_port(url: str) -> tuple[str, int]:
    """Split the URL of an Incus server."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or _PORT
