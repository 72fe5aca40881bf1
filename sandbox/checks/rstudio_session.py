"""A session of RStudio Server without a browser: sign in with a password, let its R do something.

The sign-in page is a form whose password travels encrypted with a key that the server makes at each
start (RSA, PKCS#1 v1.5). The session is JSON-RPC: `client_init` starts it, `console_input` types.
A second `client_init` of an account takes its session away from a browser: never use a person's.
"""

import base64
import http.client
import json
import re
import secrets
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import parse_qs, urlencode, urlsplit

from sandbox.deadline import Deadline, wait_until
from sandbox.endpoints import BROWSER
from sandbox.servers.rstudio import SIGN_IN

_TOKENS: Final = ("rs-csrf-token", "csrf-token")
"""Cookies of which one, by version, must come back in the form, and in a header."""
_KEY: Final = re.compile(r"\s*([0-9a-fA-F]{1,16}):([0-9a-fA-F]{64,2048})\s*")
_MOST_BYTES: Final = 16 * 1024 * 1024
_ONE_TRY_S: Final = 20.0
_UNAUTHORISED: Final = 3
_PASSING: Final = frozenset({502, 503, 504})


class SignInRefusal(StrEnum):
    """Why a sign-in was refused, as far as the server tells."""

    PASSWORD = "1"  # noqa: S105  (the number of an error)
    """It says: incorrect or invalid."""
    BUSY = "2"
    """It could not ask, or the same account tried to sign in a moment before."""
    ACCOUNT = "3"
    """The password is right, and the account may not use RStudio."""
    UNKNOWN = ""


class SignInFailed(Exception):  # noqa: N818  (a finding about the machine, not an error of ours)
    """The server refused to sign an account in."""

    def __init__(self, refusal: SignInRefusal, message: str) -> None:
        super().__init__(message)
        self.refusal = refusal


class NoSession(Exception):  # noqa: N818
    """The server does not answer as one of its kind does, or no R session starts."""


@dataclass(frozen=True)
class RstudioAnswer:
    """What came back for one request; no redirect is followed."""

    status: int
    location: str
    body: str


def encrypted(text: str, exponent: int, modulus: int) -> str:
    """Encrypt for the server's key, as its sign-in page does: RSA with PKCS#1 v1.5, in base64.

    Raises:
        ValueError: the text is too long for the key.
    """
    size = (modulus.bit_length() + 7) // 8
    message = text.encode()
    padding = size - len(message) - 3
    if padding < 8:  # noqa: PLR2004  (the standard's least)
        raise ValueError("the name and the password are too long for the server's key")
    filler = bytes(secrets.randbelow(255) + 1 for _ in range(padding))
    block = b"\0\2" + filler + b"\0" + message
    number = pow(int.from_bytes(block, "big"), exponent, modulus)
    return base64.b64encode(number.to_bytes(size, "big")).decode()


@dataclass
class RstudioClient:
    """One browser's worth of state: cookies, and the session."""

    base_url: str
    """`http://HOST:PORT`, and the path at which a server in front of it has it."""
    timeout_s: float = _ONE_TRY_S
    _cookies: dict[str, str] = field(default_factory=dict)
    _client_id: str = ""

    def open_sign_in(self) -> None:
        """Ask for the sign-in page, and see that it is RStudio's.

        Raises:
            NoSession: another page comes, or none.
        """
        first = self._request("GET", "/")
        if first.status != HTTPStatus.FOUND or SIGN_IN not in first.location:
            where = f", to {first.location}" if first.location else ""
            raise NoSession(
                f"its first page answers HTTP {first.status}{where}, and asks nobody who they are"
            )
        page = self._request("GET", f"{SIGN_IN}?appUri=%2F")
        if page.status != HTTPStatus.OK or not is_sign_in_page(page.body):
            raise NoSession(f"HTTP {page.status}, and no sign-in page of RStudio Server")

    def sign_in(self, name: str, password: str, *, is_encrypted: bool = True) -> None:
        """Sign an account in.

        Args:
            name: the account's.
            password: the account's.
            is_encrypted: whether the server wants it so; `auth-encrypt-password=0` says no.

        Raises:
            SignInFailed: the server says no.
            NoSession: its answer is none that is known.
        """
        self.open_sign_in()
        fields = {"persist": "0", "appUri": "/", "clientPath": SIGN_IN}
        if is_encrypted:
            fields["v"] = self._encrypt(f"{name}\n{password}")
        else:
            fields |= {"username": name, "password": password}
        fields |= {token: self._cookies[token] for token in _TOKENS if token in self._cookies}
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = self._request("POST", "/auth-do-sign-in", urlencode(fields), form)
        error = parse_qs(urlsplit(answer.location).query).get("error", [""])[0]
        if answer.status == HTTPStatus.FOUND and SIGN_IN not in answer.location and not error:
            if "user-id" not in self._cookies:
                raise NoSession("it accepts the password, and gives no cookie")
            return
        if answer.status != HTTPStatus.FOUND:
            raise NoSession(f"it answers a sign-in with HTTP {answer.status}")
        known = SignInRefusal(error) if error in set(SignInRefusal) else SignInRefusal.UNKNOWN
        raise SignInFailed(known, _REFUSED[known])

    def start_session(self, deadline: Deadline) -> None:
        """Start the account's R session, or take it over.

        Raises:
            NoSession: none starts before the deadline.
        """
        last = "no answer"

        def ask() -> str | None:
            nonlocal last
            try:
                result = self._rpc("client_init", [f"{self.base_url}/"])
            except _Passing as error:
                last = str(error)
                return None
            found = result.get("clientId") if isinstance(result, dict) else None
            if not isinstance(found, str) or not found:
                raise NoSession("its session starts, and tells no client's id")
            return found

        found = wait_until(ask, deadline, every_s=0.3)
        if not found:
            raise NoSession(f"no R session starts: {last}")
        self._client_id = found

    def type(self, code: str) -> None:
        """Type code at the session's prompt; what comes of it is for the code to keep.

        Raises:
            NoSession: the session does not take it.
        """
        try:
            self._rpc("console_input", [code, "", 0])
        except _Passing as error:
            raise NoSession(f"the session takes no code: {error}") from error

    def _encrypt(self, text: str) -> str:
        answer = self._request("GET", "/auth-public-key")
        found = _KEY.fullmatch(answer.body)
        if answer.status != HTTPStatus.OK or found is None:
            kind = "a PEM file" if "BEGIN" in answer.body else f"HTTP {answer.status}"
            raise NoSession(f"its public key is in no form that is known ({kind})")
        try:
            return encrypted(text, int(found[1], 16), int(found[2], 16))
        except ValueError as error:
            raise NoSession(str(error)) from error

    def _rpc(self, method: str, params: list[object]) -> object:
        asked = {
            "method": method,
            "params": params,
            "clientId": self._client_id,
            "clientVersion": "",
        }
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        token = next((self._cookies[name] for name in _TOKENS if name in self._cookies), "")
        if token:
            headers["X-RS-CSRF-Token"] = token
            headers["X-CSRF-Token"] = token
        answer = self._request("POST", f"/rpc/{method}", json.dumps(asked), headers)
        if answer.status in _PASSING:
            raise _Passing(f"HTTP {answer.status}")
        try:
            said = json.loads(answer.body)
        except ValueError as error:
            raise NoSession(f"{method} answers HTTP {answer.status}, and no JSON") from error
        if not isinstance(said, dict):
            raise NoSession(f"{method} answers HTTP {answer.status}, and nothing of use")
        if (wrong := said.get("error")) is not None:
            raise _error_of(method, wrong)
        return said.get("result")

    def _request(
        self, method: str, path: str, body: str | None = None, more: Mapping[str, str] | None = None
    ) -> RstudioAnswer:
        place = urlsplit(self.base_url)
        headers = {
            "User-Agent": BROWSER,
            "Origin": f"{place.scheme}://{place.netloc}",
            **(more or {}),
        }
        headers["Referer"] = f"{self.base_url}{SIGN_IN}"
        if self._cookies:
            headers["Cookie"] = "; ".join(f"{name}={one}" for name, one in self._cookies.items())
        connection = http.client.HTTPConnection(place.netloc, timeout=self.timeout_s)
        try:
            with closing(connection):
                connection.request(method, place.path.rstrip("/") + path, body, headers)
                answer = connection.getresponse()
                text = answer.read(_MOST_BYTES).decode("utf-8", "replace")
                self._remember(answer.headers.get_all("Set-Cookie") or [])
                return RstudioAnswer(answer.status, answer.headers.get("Location", ""), text)
        except TimeoutError as error:
            raise _Passing("no answer in time") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            words = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise _Passing(words.lower()) from error

    def _remember(self, lines: list[str]) -> None:
        for line in lines:
            try:
                cookies = SimpleCookie(line)
            except CookieError:
                continue
            for name, one in cookies.items():
                if one.value and one["max-age"] != "0":
                    self._cookies[name] = one.coded_value
                else:
                    self._cookies.pop(name, None)


class _Passing(NoSession):
    """What may be better a moment later."""


_REFUSED: Final = {
    SignInRefusal.PASSWORD: "it says that the name or the password is wrong",
    SignInRefusal.BUSY: (
        "it lets nobody try twice within 5 seconds, or could not ask for the password"
    ),
    SignInRefusal.ACCOUNT: "the password is right, and the account may not use RStudio",
    SignInRefusal.UNKNOWN: "it shows its sign-in page again, and does not say why",
}


def is_sign_in_page(body: str) -> bool:
    """Tell whether a page is RStudio Server's own for signing in."""
    return 'id="username"' in body.replace("'", '"') and 'id="password"' in body.replace("'", '"')


def _error_of(method: str, wrong: object) -> NoSession:
    code = wrong.get("code") if isinstance(wrong, dict) else None
    words = str(wrong.get("message") or "") if isinstance(wrong, dict) else str(wrong)
    if code == _UNAUTHORISED:
        return NoSession(f"{method}: it has forgotten who signed in")
    # One that is still starting answers with an error of its connection
    kind = _Passing if method == "client_init" else NoSession
    return kind(f"{method}: error {code}: {words[:200]}")
