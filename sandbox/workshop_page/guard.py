"""What both pages send and refuse: a strict policy, our own host names, only forms of our own."""

import ipaddress
from collections.abc import Callable, Collection
from typing import Final
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    # Not `no-referrer`: browsers then send no origin with our own forms
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
_SAFE: Final = {"GET", "HEAD"}
_MOST_FORM_BYTES: Final = 16_384


class FormTooLargeError(Exception):
    """Somebody sends more than a form of ours can hold."""


class Guard:
    """Wraps an app: refuses strange hosts and strangers' forms, and adds the headers."""

    def __init__(self, app: ASGIApp, is_ours: Callable[[str], bool]) -> None:
        self._app, self._is_ours = app, is_ours

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    kept[name] = value
                kept.setdefault("cache-control", "no-store")
            await send(message)

        if not self._is_ours(host_of(headers.get("host", ""))):
            refusal = PlainTextResponse("There is no page at this name.\n", 421)
            await refusal(scope, receive, with_headers)
        elif scope["method"] not in _SAFE and not from_our_page(headers):
            refusal = PlainTextResponse("This form is not from our own page.\n", 403)
            await refusal(scope, receive, with_headers)
        else:
            await self._app(scope, receive, with_headers)


def host_of(netloc: str) -> str:
    """Return the name without its port, in lower case; empty when it is none."""
    try:
        return urlsplit(f"//{netloc}").hostname or ""
    except ValueError:
        return ""


def from_our_page(headers: Headers) -> bool:
    """Tell whether a form was sent by a page of the same origin; in doubt it was not.

    Seats are of the same site as the claim page, so a cookie's SameSite does not keep them out.
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None and site != "same-origin":
        return False
    if origin is None:
        return site is not None
    return urlsplit(origin).netloc.lower() == headers.get("host", "").lower()


def trainer_hosts(address: str, domain: str) -> Callable[[str], bool]:
    """Return the test for host names of the trainer's page.

    A name that leads elsewhere by a stranger's DNS is refused; an address cannot be such a name.
    """
    listens = ipaddress.ip_address(address)
    names: Collection[str] = {"localhost"} if listens.is_loopback else {domain.lower()}

    def is_ours(host: str) -> bool:
        if host in names:
            return True
        try:
            asked = ipaddress.ip_address(host)
        except ValueError:
            return False
        return listens.is_unspecified or asked == listens

    return is_ours


async def read_form(request: Request) -> dict[str, str]:
    """Read a small form: the first value of each name.

    Raises:
        FormTooLargeError: it is too large.
    """
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _MOST_FORM_BYTES:
            raise FormTooLargeError
    text = body.decode("utf-8", errors="replace")
    found = parse_qs(text, keep_blank_values=True, errors="replace", max_num_fields=50)
    return {name: values[0] for name, values in found.items()}
