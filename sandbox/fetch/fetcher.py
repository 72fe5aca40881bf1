"""Fetching over HTTP into the store: through mirrors and proxies, again after a passing failure.

Bytes count only when they are whole and have the wanted checksum; an address that gave its bytes
once, and whose bytes never change, is not asked again.
"""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from sandbox.events import Listener, StepOutput, ignore
from sandbox.fetch.errors import AbsentFileError, FetchError, WrongSumError
from sandbox.fetch.explain import FetchTrouble, error_about
from sandbox.fetch.routes import Route, Routes
from sandbox.fetch.store import SourceNote, Store
from sandbox.fetch.transport import Answer, Patience, Transport

NO_HEADERS: Final[Mapping[str, str]] = {}
MAX_FILE_BYTES: Final = 20 * 1024**3
"""More than any file of ours has: an endless answer must not fill the disk."""

LooksWrong = Callable[[Path], str]
"""Says why a file cannot be what was wanted; empty when it can."""

_CHUNK_BYTES: Final = 256 * 1024
_TELL_EVERY_S: Final = 1.0
_NO_HEAD: Final = frozenset({405, 501})
_NO_PAGE: Final = (".deb", ".gz", ".tgz", ".box", ".bz2", ".xz", ".zst", ".json", ".rds")
"""Files that are never a web page: the sign-in page of a network may come in their place."""


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
        patience: Patience | None = None,
    ) -> None:
        """Keep the parts; `sandbox` is the machine that its events are about."""
        self.routes = routes
        self.store = store

        def tell(line: str) -> None:
            listener(StepOutput(sandbox, line))

        self._tell = tell
        self._transport = Transport(routes, patience)

    def exists(self, url: str, *, headers: Mapping[str, str] = NO_HEADERS) -> bool:
        """Ask whether there is something at a public URL.

        Raises:
            FetchError: that cannot be found out; 404, 403 and 410 mean that there is nothing.
        """
        route = self.routes.route(url)

        def ask(method: str) -> bool:
            return self._transport.ask(route, lambda _: True, headers=headers, method=method)

        try:
            return ask("HEAD")
        except AbsentFileError:
            return False
        except FetchError as error:
            if error.status not in _NO_HEAD:
                raise
        try:
            return ask("GET")
        except AbsentFileError:
            return False

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
        if dated:
            found = self.obtain([url], headers=headers, max_bytes=max_bytes)
            if found.size_bytes > max_bytes:
                raise _too_large(self.routes.route(url), max_bytes)
            return found.path.read_bytes()
        route = self.routes.route(url)

        def take(answer: Answer) -> bytes:
            chunks = list[bytes]()
            self._stream(answer, route, max_bytes, chunks.append)
            return b"".join(chunks)

        return self._transport.ask(route, take, headers=headers)

    def obtain(
        self,
        urls: Sequence[str],
        *,
        sha256: str | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
        max_bytes: int = MAX_FILE_BYTES,
        looks_wrong: LooksWrong | None = None,
    ) -> Fetched:
        """Return a file whose bytes never change, from the store or from the first URL that has it.

        Args:
            urls: public URLs of the same file, asked in this order.
            sha256: its checksum, where that is known.
            headers: further headers of the request.
            max_bytes: more than this is refused.
            looks_wrong: asked before the file is kept; without a checksum, nothing else could say
                that a server gave something else.

        Raises:
            AbsentFileError: no URL has it.
            WrongSumError: other bytes came than `sha256` says.
            FetchError: it cannot be fetched.
        """
        if sha256 is not None and urls and (kept := self.store.find(sha256)) is not None:
            # Also what never had an address: a package from a folder of the box
            return Fetched(kept, sha256, kept.stat().st_size, self._public(urls[0]))
        ways = [
            _Way(route, self.routes.origin(route.address, headers)) for route in self._ways(urls)
        ]
        for way in ways:
            if (found := self._stored(way, sha256)) is not None:
                return found
        failures = list[FetchError]()
        for way in ways:
            wanted = _Wanted(way, sha256, headers, max_bytes, looks_wrong)
            try:
                return self._fetched(wanted)
            except FetchError as error:
                failures.append(error)
        raise _worst(failures)

    def _public(self, url: str) -> str:
        try:
            return self.routes.route(url).public
        except FetchError:
            return url

    def _ways(self, urls: Sequence[str]) -> list[Route]:
        if not urls:
            raise ValueError("no URL is given")
        return [self.routes.route(url) for url in urls]

    def _stored(self, way: "_Way", sha256: str | None) -> Fetched | None:
        """The file, if the store has it whole."""
        if sha256 is None:
            note = self.store.noted(way.origin)
            if note is None:
                return None
            sha256 = note.sha256
        path = self.store.find(sha256)
        if path is None:
            return None
        return Fetched(path, sha256, path.stat().st_size, way.route.public)

    def _fetched(self, wanted: "_Wanted") -> Fetched:
        way = wanted.way
        waiting = f"another command fetches {_short(way.route)}: waiting for it"
        with self.store.hold(way.origin, on_wait=lambda: self._tell(waiting)) as lock:
            try:
                if (found := self._stored(way, wanted.sha256)) is not None:
                    return found
                return self._download(wanted)
            finally:
                lock.remove_file()

    def _download(self, wanted: "_Wanted") -> Fetched:
        way, route = wanted.way, wanted.way.route
        with self.store.incoming(way.origin) as fresh:

            def take(answer: Answer) -> tuple[str, int]:
                digest, size = hashlib.sha256(), 0
                with fresh.open("wb") as file:

                    def put(chunk: bytes) -> None:
                        digest.update(chunk)
                        file.write(chunk)

                    size = self._stream(answer, route, wanted.max_bytes, put)
                return digest.hexdigest(), size

            came, size = self._transport.ask(route, take, headers=wanted.headers)
            if wanted.sha256 is not None and came != wanted.sha256:
                raise _wrong_sum(route, wanted.sha256, came)
            if wanted.looks_wrong is not None and (why := wanted.looks_wrong(fresh)):
                raise error_about(route, FetchTrouble(f"what came is not the file: {why}"))
            path = self.store.keep(fresh, came)
        self.store.note(way.origin, SourceNote(url=route.public, sha256=came, size_bytes=size))
        return Fetched(path, came, size, route.public)

    def _stream(
        self, answer: Answer, route: Route, max_bytes: int, put: Callable[[bytes], object]
    ) -> int:
        """Hand on the bytes of an answer, and report after a second how far it is."""
        length = answer.headers.get("Content-Length", "")
        total = int(length) if length.isascii() and length.isdigit() else None
        if total is not None and total > max_bytes:
            raise _too_large(route, max_bytes)
        kind = answer.headers.get("Content-Type", "").lower()
        if kind.startswith("text/html") and urlsplit(route.public).path.endswith(_NO_PAGE):
            raise error_about(route, FetchTrouble("a web page came in its place (of a proxy?)"))
        size, told_at = 0, time.monotonic()
        for chunk in answer.stream(_CHUNK_BYTES, decode_content=False):
            size += len(chunk)
            if size > max_bytes:
                raise _too_large(route, max_bytes)
            put(chunk)
            if time.monotonic() - told_at >= _TELL_EVERY_S:
                told_at = time.monotonic()
                self._tell(f"fetch {_short(route)}: {_megabytes(size, total)}")
        return size


@dataclass(frozen=True)
class _Way:
    route: Route
    origin: str


@dataclass(frozen=True)
class _Wanted:
    way: _Way
    sha256: str | None
    headers: Mapping[str, str]
    max_bytes: int
    looks_wrong: LooksWrong | None


def _worst(failures: list[FetchError]) -> FetchError:
    """The error that says most: other bytes came, or no answer, and only then that it is absent."""

    def rank(error: FetchError) -> int:
        return 0 if isinstance(error, WrongSumError) else 2 if _is_absent(error) else 1

    first = min(failures, key=rank)
    others = [one.message for one in failures if one is not first]
    if others:
        first.details = "\n".join(part for part in (first.details, *others) if part)
    return first


def _is_absent(error: FetchError) -> bool:
    return isinstance(error, AbsentFileError)


def _wrong_sum(route: Route, wanted: str, came: str) -> FetchError:
    what = f"its SHA-256 should be {wanted}, and what came has {came}: it was thrown away"
    error = error_about(route, FetchTrouble(what), WrongSumError)
    error.hint = "the file was changed where it lies, or on the way: ask whoever runs that server"
    return error


def _too_large(route: Route, max_bytes: int) -> FetchError:
    return error_about(route, FetchTrouble(f"it is larger than {max_bytes / 1e6:.1f} MB"))


def _short(route: Route) -> str:
    """The file's name in a URL."""
    parts = urlsplit(route.public)
    return parts.path.rstrip("/").rpartition("/")[2] or parts.netloc


def _megabytes(size: int, total: int | None) -> str:
    of = f" of {total / 1e6:.0f}" if total is not None else ""
    return f"{size / 1e6:.0f}{of} MB"
