"""Fetching over HTTP into the store: through mirrors and proxies, again after a passing failure.

Bytes count only when they are whole and have the wanted checksum; an address that gave its bytes
once, and whose bytes never change, is not asked again.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from sandbox.events import Listener, StepOutput, ignore
from sandbox.fetch.errors import AbsentFileError, FetchError, WrongSumError
from sandbox.fetch.routes import Routes
from sandbox.fetch.store import SourceNote, Store

if TYPE_CHECKING:
    from sandbox.fetch.transport import Answer

NO_HEADERS: Final[Mapping[str, str]] = {}
MAX_FILE_BYTES: Final = 20 * 1024**3
"""More than any file of ours has: an endless answer must not fill the disk."""

_CHUNK_BYTES: Final = 256 * 1024
_TELL_EVERY_S: Final = 1.0
_MEGA: Final = 1e6


@dataclass(frozen=True)
class Fetched:
    """A file in the store that has just been verified."""

    path: Path
    sha256: str
    size_bytes: int
    url: str
    """The public URL, never that of a mirror, and without a login."""


class Fetcher:
    """Fetches files and indexes; made once for a command. Several threads may use one."""

    def __init__(
        self,
        routes: Routes,
        store: Store,
        listener: Listener = ignore,
        *,
        sandbox: str = "",
    ) -> None:
        """Keep the parts; `sandbox` is the machine that its events are about."""
        from sandbox.fetch.transport import Transport

        self.routes = routes
        self.store = store
        self._tell = lambda line: listener(StepOutput(sandbox, line))
        self._transport = Transport(routes)

    def exists(self, url: str, *, headers: Mapping[str, str] = NO_HEADERS) -> bool:
        """Ask whether there is something at a public URL.

        Raises:
            FetchError: that cannot be found out; 404, 403 and 410 mean that there is nothing.
        """
        raise NotImplementedError

    def read(
        self,
        url: str,
        *,
        max_bytes: int,
        headers: Mapping[str, str] = NO_HEADERS,
        dated: bool = False,
    ) -> bytes:
        """Return the bytes at a public URL: an index, or another small file.

        Args:
            url: the public URL.
            max_bytes: more than this is refused.
            headers: further headers of the request.
            dated: its bytes never change: what the store has of it is used, and kept.

        Raises:
            AbsentFileError: the server does not have it.
            FetchError: it cannot be fetched, or is too large.
        """
        raise NotImplementedError

    def obtain(
        self,
        urls: Sequence[str],
        *,
        sha256: str | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
        max_bytes: int = MAX_FILE_BYTES,
    ) -> Fetched:
        """Return a file whose bytes never change, from the store or from the first URL that has it.

        Args:
            urls: public URLs of the same file, asked in this order.
            sha256: its checksum, where that is known.
            headers: further headers of the request.
            max_bytes: more than this is refused.

        Raises:
            AbsentFileError: no URL has it.
            WrongSumError: other bytes came than `sha256` says.
            FetchError: it cannot be fetched.
        """
        raise NotImplementedError
