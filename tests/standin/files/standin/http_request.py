"""What the server reads from a request: fields, cookies, and the address that the browser sees."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from email.message import Message
from urllib.parse import parse_qs, urlsplit

CSRF, OLD_CSRF = "rs-csrf-token", "csrf-token"
_BROWSERS = (
    (re.compile(r"Firefox/(\d+)"), 62),
    (re.compile(r"Chrome/(\d+)"), 66),
    (re.compile(r"Version/(\d+)[.\d]* .*Safari/"), 11),
)


@dataclass
class Request:
    """One request."""

    method: str
    target: str
    headers: Message
    body: bytes = b""
    root_path_option: str = "/"
    path: str = field(init=False)
    query: dict[str, list[str]] = field(init=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.target)
        self.path = parts.path
        self.query = parse_qs(parts.query, keep_blank_values=True)

    def header(self, name: str) -> str:
        """Give a header; empty when it is absent."""
        return str(self.headers.get(name, ""))

    def form(self, name: str) -> str:
        """Give a field of the form in the body."""
        fields = parse_qs(self.body.decode("utf-8", "replace"), keep_blank_values=True)
        return fields.get(name, [""])[0]

    def asked(self, name: str) -> str:
        """Give a field of the query."""
        return self.query.get(name, [""])[0]

    def cookie(self, name: str) -> str:
        """Give a cookie."""
        for part in self.header("Cookie").split(";"):
            key, _, value = part.strip().partition("=")
            if key == name:
                return value
        return ""

    @property
    def root_path(self) -> str:
        """Say below which path a proxy shows this server; it is never part of our own paths."""
        path = self.header("X-RStudio-Root-Path") or self.root_path_option
        return "/" + path.strip("/")

    @property
    def is_secure(self) -> bool:
        """Whether the browser speaks https."""
        seen = self.header("X-RStudio-Request").startswith("https:")
        return seen or self.header("X-Forwarded-Proto") == "https"

    def absolute(self, path: str) -> str:
        """Make the address of one of our paths as the browser must ask for it."""
        scheme = "https" if self.is_secure else "http"
        host = self.header("X-Forwarded-Host") or self.header("Host") or "localhost"
        seen = urlsplit(self.header("X-RStudio-Request"))
        if seen.netloc:
            scheme, host = seen.scheme, seen.netloc
        return f"{scheme}://{host}{self.root_path.rstrip('/')}/{path.lstrip('/')}"

    @property
    def is_browser(self) -> bool:
        """Whether a browser that is new enough asks."""
        for pattern, oldest in _BROWSERS:
            if found := pattern.search(self.header("User-Agent")):
                return int(found[1]) >= oldest
        return False

    @property
    def csrf_cookie(self) -> str:
        """Give the token against forged requests, under its new or its old name."""
        return self.cookie(CSRF) or self.cookie(OLD_CSRF)

    @property
    def has_csrf_form(self) -> bool:
        """Whether the form repeats the token of the cookie."""
        sent = self.form(CSRF) or self.form(OLD_CSRF)
        return bool(self.csrf_cookie) and sent == self.csrf_cookie

    @property
    def has_csrf_header(self) -> bool:
        """Whether the header repeats the token of the cookie."""
        sent = self.header("X-RS-CSRF-Token") or self.header("X-CSRF-Token")
        return bool(self.csrf_cookie) and sent == self.csrf_cookie


@dataclass
class Reply:
    """One answer."""

    status: int = 200
    body: bytes = b""
    kind: str = "text/html; charset=utf-8"
    headers: list[tuple[str, str]] = field(default_factory=list)

    def set_cookie(
        self,
        request: Request,
        name: str,
        value: str,
        *,
        age_s: int | None = None,
    ) -> None:
        """Set a cookie of this server's path; `age_s` 0 removes it."""
        text = f"{name}={value}; path={request.root_path}; HttpOnly; SameSite=Lax"
        if age_s is not None:
            text += f"; Max-Age={age_s}"
        if request.is_secure:
            text += "; Secure"
        self.headers.append(("Set-Cookie", text))

    def redirect(self, request: Request, path: str) -> Reply:
        """Send the browser to one of our paths."""
        self.status, self.body = 302, b""
        self.headers.append(("Location", request.absolute(path)))
        return self
