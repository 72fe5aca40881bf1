"""Why a file could not be fetched, in words, and what mends it."""

import ssl
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from urllib3 import exceptions

from sandbox.fetch.errors import AbsentFileError, FetchError
from sandbox.fetch.routes import Address, Route

USER_CONFIG: Final = "~/.config/sandbox/config.yml"


@dataclass(frozen=True)
class FetchTrouble:
    """What went wrong with one request."""

    what: str
    may_pass: bool = False
    is_proxy: bool = False
    is_certificate: bool = False
    status: int | None = None


def error_about(
    route: Route, trouble: FetchTrouble, kind: type[FetchError] = FetchError
) -> FetchError:
    """Make the error to tell: the public URL, the mirror if there is one, and what mends it."""
    asked = f"asked for at {route.address.url} (`mirrors.{route.key}`)" if route.is_mirror else ""
    error = kind(
        f"cannot fetch {route.public}: {trouble.what}",
        url=route.public,
        details=asked,
        hint=_hint(route, trouble, is_absent=issubclass(kind, AbsentFileError)),
    )
    error.status = trouble.status
    return error


def trouble_of(error: Exception, asked: Address, proxy: Address | None) -> FetchTrouble | None:
    """Say what an error of the network means; None when it is none of the network."""
    host = urlsplit(asked.url).netloc
    if isinstance(error, exceptions.ProxyError):
        return _proxy_trouble(error, proxy)
    if isinstance(error, exceptions.SSLError):
        return _tls_trouble(error, host)
    for kind, words in _PASSING:
        if isinstance(error, kind):
            return FetchTrouble(words.format(host=host, reason=_last_words(error)), may_pass=True)
    return None


_PASSING: Final[tuple[tuple[type[Exception], str], ...]] = (
    (exceptions.NameResolutionError, "the name of {host} cannot be resolved"),
    (exceptions.NewConnectionError, "{host} cannot be reached ({reason})"),
    (exceptions.ConnectTimeoutError, "{host} cannot be reached: no answer"),
    (exceptions.ReadTimeoutError, "{host} stopped answering"),
    (exceptions.HTTPError, "{host} broke off the connection"),
)
"""The first that fits; the last is above all others."""


def _proxy_trouble(error: exceptions.ProxyError, proxy: Address | None) -> FetchTrouble:
    where = urlsplit(proxy.url).netloc if proxy is not None else ""
    cause = error.original_error
    text = str(cause)
    if isinstance(cause, exceptions.SSLError | ssl.SSLError):
        return _tls_trouble(cause, f"the proxy {where}")
    if "407" in text:
        return FetchTrouble(f"the proxy {where} wants a login (407)", is_proxy=True)
    if "Tunnel connection failed" in text:
        status = "".join(char for char in text if char.isdigit())[:3]
        may_pass = status.startswith("5")
        return FetchTrouble(f"the proxy {where} refuses it ({status})", may_pass, is_proxy=True)
    return FetchTrouble(f"the proxy {where} cannot be reached", may_pass=True, is_proxy=True)


def _tls_trouble(error: BaseException, host: str) -> FetchTrouble:
    """Tell a certificate that is not trusted from a connection that broke; in OpenSSL's words."""
    found: object = error
    while isinstance(found, BaseException):
        if isinstance(found, ssl.SSLCertVerificationError):
            why = found.verify_message
            what = f"the certificate of {host} is not trusted ({why})"
            return FetchTrouble(what, is_certificate=True)
        if isinstance(found, ssl.SSLError):
            why = (found.reason or "no reason given").replace("_", " ").lower()
            return FetchTrouble(f"TLS with {host} failed ({why})", may_pass=True)
        found = found.args[0] if found.args else None
    return FetchTrouble(f"TLS with {host} failed", may_pass=True)


def _last_words(error: BaseException) -> str:
    """The system's own words: `Connection refused`."""
    return str(error).rpartition("] ")[2] if "] " in str(error) else "no connection"


def _hint(route: Route, trouble: FetchTrouble, *, is_absent: bool) -> str:
    if is_absent:
        return f"does the mirror `mirrors.{route.key}` have all of it?" if route.is_mirror else ""
    if trouble.is_certificate:
        return (
            "behind a proxy or mirror with certificates of its own, name its authority: "
            f"`mirrors: {{ca_certificates: [FILE.pem]}}` in the box or in {USER_CONFIG}"
        )
    if trouble.is_proxy:
        return "`mirrors.proxy` (or the environment) names it; with a login: {secret: NAME}"
    if route.is_mirror:
        return f"is the address of `mirrors.{route.key}` right, and is that server up?"
    mirror = f"a mirror (`mirrors: {{{route.key}: URL}}`) or " if route.key else ""
    return (
        f"is this host online? Where it cannot reach {urlsplit(route.public).netloc}, name {mirror}"
        f"a proxy (`mirrors: {{proxy: URL}}`), in the box or in {USER_CONFIG}"
    )
