"""One request over HTTP: pools, proxy, certificates, redirects, and again after what may pass."""

import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from itertools import chain, repeat
from typing import Final, TypeVar
from urllib.parse import urljoin, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from sandbox import __version__
from sandbox.deadline import keep_trying
from sandbox.fetch.errors import AbsentFileError, FetchError
from sandbox.fetch.explain import FetchTrouble, error_about, trouble_of
from sandbox.fetch.routes import Address, Route, Routes, address_of

Answer = urllib3.BaseHTTPResponse
T = TypeVar("T")

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS: Final = 8
_ABSENT: Final = frozenset({403, 404, 410})
_PASSING: Final = frozenset({408, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Patience:
    """How long to wait for a server, and how often to try."""

    connect_s: float = 15.0
    read_s: float = 30.0
    """Without a single byte."""
    tries: int = 4
    pauses_s: tuple[float, ...] = (0.3, 1.0, 3.0)
    longest_pause_s: float = 30.0
    """A server that asks for a longer one is not asked again."""


class _PassingError(Exception):
    """A failure that may pass; holds the error to tell if it does not."""

    def __init__(self, error: FetchError, wait_s: float | None = None) -> None:
        self.error = error
        self.wait_s = wait_s
        """The pause that the server asks for."""
        super().__init__(error.message)


class Transport:
    """Asks servers. Its pools of connections are shared by all threads."""

    def __init__(self, routes: Routes, patience: Patience | None = None) -> None:
        self._routes = routes
        self._patience = Patience() if patience is None else patience
        self._pools: dict[str, urllib3.PoolManager] = {}
        self._lock = threading.Lock()
        self._context: ssl.SSLContext | None = None

    def ask(
        self,
        route: Route,
        take: Callable[[Answer], T],
        *,
        headers: Mapping[str, str],
        method: str = "GET",
    ) -> T:
        """Ask, and return what `take` makes of the answer; all of it again when it fails.

        Raises:
            FetchError: there is no good answer.
        """
        pauses = chain(self._patience.pauses_s, repeat(self._patience.pauses_s[-1]))
        longest_s = self._patience.longest_pause_s
        try:
            return keep_trying(
                lambda: self._once(route, take, headers, method),
                despite=_PassingError,
                every_s=lambda failed: max(next(pauses), failed.wait_s or 0.0),
                again=lambda failed: (failed.wait_s or 0.0) <= longest_s,
                tries=self._patience.tries,
            )
        except _PassingError as failed:
            raise failed.error from failed.__cause__

    def _once(
        self, route: Route, take: Callable[[Answer], T], headers: Mapping[str, str], method: str
    ) -> T:
        asked = route.address
        try:
            for _ in range(_MOST_REDIRECTS):
                with self._open(asked, headers, method) as answer:
                    if answer.status in _REDIRECTS and (where := answer.headers.get("Location")):
                        asked = _next(asked, where, route)
                        continue
                    _require_good(answer, route)
                    return take(answer)
        except (HTTPError, OSError) as error:
            trouble = trouble_of(error, asked, self._routes.proxy_for(asked.url))
            if trouble is None:
                # Not of the network: our own disk is full
                raise
            told = error_about(route, trouble)
            if trouble.may_pass:
                raise _PassingError(told) from error
            raise told from error
        raise error_about(route, FetchTrouble(f"more than {_MOST_REDIRECTS} redirects"))

    @contextmanager
    def _open(self, asked: Address, headers: Mapping[str, str], method: str) -> Iterator[Answer]:
        sent = {
            "User-Agent": f"r-sandbox/{__version__}",
            # The bytes of the file itself: a checksum is of these
            "Accept-Encoding": "identity",
            **headers,
        }
        if asked.login is not None:
            sent["Authorization"] = asked.login
        answer = self._pool(asked).request(
            method,
            asked.url,
            headers=sent,
            redirect=False,
            retries=False,
            preload_content=False,
            decode_content=False,
            timeout=urllib3.Timeout(connect=self._patience.connect_s, read=self._patience.read_s),
        )
        try:
            yield answer
        finally:
            # What is left unread would come before the next answer of this connection
            answer.close()
            answer.release_conn()

    def _pool(self, asked: Address) -> urllib3.PoolManager:
        proxy = self._routes.proxy_for(asked.url)
        with self._lock:
            if self._context is None:
                self._context = self._trusting()
            name = "" if proxy is None else proxy.url
            if name not in self._pools:
                self._pools[name] = _made_pool(proxy, self._context)
            return self._pools[name]

    def _trusting(self) -> ssl.SSLContext:
        """Trust the system's authorities, and the user's.

        Raises:
            FetchError: a file of certificates cannot be read.
        """
        context = ssl.create_default_context()
        for path in self._routes.ca_files:
            try:
                context.load_verify_locations(cafile=path)
            except OSError as error:  # ssl.SSLError is one
                raise FetchError(
                    f"the certificate {path} cannot be used",
                    url="",
                    details=str(error),
                    hint="`ca_certificates` of `mirrors:` names it: it must be a PEM file",
                ) from error
        return context


def _made_pool(proxy: Address | None, context: ssl.SSLContext) -> urllib3.PoolManager:
    if proxy is None:
        return urllib3.PoolManager(ssl_context=context, maxsize=8)
    login = {"Proxy-Authorization": proxy.login} if proxy.login is not None else {}
    return urllib3.ProxyManager(
        proxy.url,
        proxy_headers=login,
        proxy_ssl_context=context,
        ssl_context=context,
        maxsize=8,
    )


def _next(asked: Address, where: str, route: Route) -> Address:
    """The address that a redirect leads to.

    Raises:
        FetchError: it may not be followed.
    """
    try:
        address = address_of(urljoin(asked.url, where))
    except FetchError as error:
        raise error_about(route, FetchTrouble(f"it redirects elsewhere: {error.message}")) from None
    before, after = urlsplit(asked.url), urlsplit(address.url)
    if before.scheme == "https" and after.scheme == "http":
        raise error_about(
            route, FetchTrouble("it redirects from https to http, which is not followed")
        )
    is_same = (before.scheme, before.netloc) == (after.scheme, after.netloc)
    # A login is for the server that it was written for
    return Address(address.url, asked.login if is_same else None)


def _require_good(answer: Answer, route: Route) -> None:
    status = answer.status
    if status == HTTPStatus.OK:
        return
    words = f"{status} {HTTPStatus(status).phrase}" if status in _KNOWN else f"status {status}"
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        raise error_about(route, FetchTrouble(f"the proxy wants a login ({words})", is_proxy=True))
    if status == HTTPStatus.UNAUTHORIZED:
        raise error_about(route, FetchTrouble(f"the server wants another login ({words})"))
    if status in _ABSENT:
        raise error_about(route, FetchTrouble(words), AbsentFileError)
    told = error_about(route, FetchTrouble(f"the server answers {words}", status=status))
    if status in _PASSING:
        raise _PassingError(told, _wanted_pause(answer.headers.get("Retry-After", "")))
    raise told


_KNOWN: Final = frozenset(int(one) for one in HTTPStatus)


def _wanted_pause(words: str) -> float | None:
    """The seconds of a header Retry-After, which may also name a moment."""
    if words.isascii() and words.isdigit():
        return float(words)
    try:
        moment = parsedate_to_datetime(words)
    except ValueError:
        return None
    now = datetime.now(UTC)
    return max(
        0.0, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now.timestamp()
    )
