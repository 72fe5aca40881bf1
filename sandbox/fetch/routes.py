"""Where a public URL is really asked for: at a mirror, through a proxy, with which certificates.

Pure but for reading certificates. A login is kept apart from its URL from the start, so that no
message, note or record can show it.
"""

import hashlib
import ipaddress
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

from sandbox.fetch.addresses import BESIDE, STANDS_FOR
from sandbox.fetch.errors import FetchError
from sandbox.spec.mirrors import Mirrors

_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True)
class UserProxies:
    """The proxies of this user's environment; used when `mirrors:` names none."""

    http: str | None = field(default=None, repr=False)
    https: str | None = field(default=None, repr=False)
    no_proxy: tuple[str, ...] = ()

    @classmethod
    def from_variables(cls, variables: Mapping[str, str]) -> "UserProxies":
        """Read http_proxy, https_proxy and no_proxy, in small letters."""
        excepted = tuple(one.strip() for one in variables.get("no_proxy", "").split(","))
        return cls(
            http=variables.get("http_proxy") or None,
            https=variables.get("https_proxy") or None,
            no_proxy=tuple(one for one in excepted if one),
        )


@dataclass(frozen=True)
class Address:
    """A URL, and the login that stood in it."""

    url: str
    """Without a login."""
    login: str | None = field(default=None, repr=False)
    """The value of the header Authorization, or Proxy-Authorization."""


@dataclass(frozen=True)
class Route:
    """The way to one public URL."""

    public: str
    """The URL that was asked for, without a login: for messages and records."""
    address: Address
    """The URL that is really asked."""
    key: str
    """The key of `mirrors:` that stands for it, or could; empty when there is none."""
    is_mirror: bool
    """Whether a mirror stands for it."""


class Routes:
    """The ways to all URLs, by the user's mirrors and proxies."""

    def __init__(
        self,
        mirrors: Mirrors | None = None,
        *,
        proxy: str | None = None,
        user_proxies: UserProxies | None = None,
    ) -> None:
        """Keep the settings; `proxy` is the value where `mirrors.proxy` is a secret."""
        self.mirrors = Mirrors() if mirrors is None else mirrors
        said = self.mirrors.proxy
        self._proxy = said if isinstance(said, str) else proxy
        self._user = UserProxies() if user_proxies is None else user_proxies
        self.ca_files = tuple(Path(one) for one in self.mirrors.ca_certificates)
        """Files with further certificates to trust."""

    def route(self, url: str) -> Route:
        """Return the way to a public URL.

        Raises:
            FetchError: it is no URL that may be fetched.
        """
        public = address_of(url)
        key, rest, beside = _key_of(public.url)
        mirror = getattr(self.mirrors, key) if key else None
        if mirror is None:
            return Route(public.url, public, key, is_mirror=False)
        base = mirror.rstrip("/")
        if beside:
            base = urljoin(base, ".").rstrip("/") if urlsplit(base).path.strip("/") else base
        return Route(public.url, address_of(f"{base}{rest}"), key, is_mirror=True)

    def proxy_for(self, url: str) -> Address | None:
        """Return the proxy through which `url` is asked for; None for none.

        Raises:
            FetchError: the proxy's address cannot be read.
        """
        parts = urlsplit(url)
        if self._proxy is not None:
            proxy, excepted = self._proxy, self.mirrors.no_proxy
        else:
            proxy = (self._user.https if parts.scheme == "https" else self._user.http) or ""
            excepted = (*self.mirrors.no_proxy, *self._user.no_proxy)
        if not proxy or goes_direct(url, excepted):
            return None
        return address_of(proxy if "://" in proxy else f"http://{proxy}")

    def variables(self, urls: Iterable[str] = ()) -> dict[str, str]:
        """Return the environment for a program that fetches by itself from `urls`, and elsewhere.

        Empty where `mirrors:` names no proxy: then the program has the user's own environment. The
        programs know no networks in `no_proxy`, so hosts of `urls` in one are named.
        """
        if self._proxy is None:
            return {}
        excepted = self.mirrors.no_proxy
        direct = [urlsplit(url).hostname or "" for url in urls if goes_direct(url, excepted)]
        without = ",".join(dict.fromkeys((*excepted, *direct)))
        return {"http_proxy": self._proxy, "https_proxy": self._proxy, "no_proxy": without}

    def origin(self, address: Address, headers: Mapping[str, str]) -> str:
        """Return a text for all that decides which bytes `address` gives.

        The way counts too: a box that names a proxy and an authority of its own must not decide
        what another box gets from the same URL.
        """
        proxy = self.proxy_for(address.url)
        lines = [address.url, proxy.url if proxy else ""]
        lines += [f"{name.lower()}: {value}" for name, value in sorted(headers.items())]
        if address.url.startswith("https:"):
            lines += [hashlib.sha256(_read(path)).hexdigest() for path in self.ca_files]
        return "\n".join(lines)


def address_of(url: str) -> Address:
    """Take the login out of a URL.

    Raises:
        FetchError: it is not http or https, has no host, or has a character no URL has.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise FetchError("this address cannot be read", url="") from None
    if parts.scheme not in _PORTS:
        raise FetchError(
            f"only http:// and https:// are fetched, and this is {parts.scheme[:20] or 'no'}:"
            if parts.scheme.isalnum()
            else "only http:// and https:// are fetched",
            url="",
        )
    if any(not "!" <= char <= "~" for char in url) or "\\" in parts.netloc:
        raise FetchError("a character that no URL has stands in this address", url="")
    if not host:
        raise FetchError("this address names no host", url="")
    plain = parts._replace(netloc=_netloc(host, port), fragment="").geturl()
    return Address(plain, _basic(parts))


def goes_direct(url: str, excepted: Iterable[str]) -> bool:
    """Tell whether `url` is reached without a proxy, by the entries of `no_proxy`."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".").lower()
    port = parts.port or _PORTS.get(parts.scheme)
    return any(_matches(one.strip().lower(), host, port) for one in excepted)


def _matches(entry: str, host: str, port: int | None) -> bool:
    if entry == "*":
        return True
    entry, its_port = _with_port(entry)
    if its_port is not None and its_port != port:
        return False
    try:
        network = ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        name = entry.removeprefix("*").strip(".")
        # As curl has it: a domain stands for itself, and for all below it
        return bool(name) and (host == name or host.endswith(f".{name}"))
    try:
        # A name is never looked up for this: the proxy may be the only one who can
        return ipaddress.ip_address(host) in network
    except ValueError:
        return False


def _with_port(entry: str) -> tuple[str, int | None]:
    head, colon, tail = entry.rpartition(":")
    is_bare_ipv6 = ":" in head and not head.endswith("]")
    if not colon or is_bare_ipv6 or not tail.isascii() or not tail.isdigit():
        return entry, None
    return head, int(tail)


def _key_of(url: str) -> tuple[str, str, bool]:
    """The key for a URL, what follows in it, and whether that lies beside what the key means."""
    parts = urlsplit(url)
    if parts.port not in (None, _PORTS[parts.scheme]):
        return "", "", False
    whole = f"{parts.hostname}{parts.path}"
    for is_beside, table in ((True, BESIDE), (False, STANDS_FOR)):
        for prefix, key in table:
            if whole == prefix or whole.startswith(f"{prefix}/"):
                first = prefix.rpartition("/")[2] if is_beside else ""
                rest = whole[len(prefix) :]
                rest = f"/{first}{rest}" if is_beside else rest
                return key, f"{rest}?{parts.query}" if parts.query else rest, is_beside
    return "", "", False


def _netloc(host: str, port: int | None) -> str:
    name = f"[{host}]" if ":" in host else host
    return name if port is None else f"{name}:{port}"


def _basic(parts: SplitResult) -> str | None:
    if parts.username is None and parts.password is None:
        return None
    words = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    return f"Basic {b64encode(words.encode()).decode()}"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FetchError(
            f"the certificate {path} cannot be read: {error.strerror}",
            url="",
            hint="`ca_certificates` of `mirrors:` names it",
        ) from error
