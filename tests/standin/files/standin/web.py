"""Answers requests: sign-in as the real server does it, and calls to the user's session."""

from __future__ import annotations

import base64
import binascii
import html
import json
import os
import pwd
import uuid
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import urlencode

from . import NAME, SUFFIX, claimed_version, is_at_least
from .http_request import CSRF, OLD_CSRF, Reply, Request
from .logs import Log
from .options import Options
from .rsa import KeyPair
from .secrets_kept import Cookies, state_dir
from .sessions import Sessions
from .sign_in import OK, SERVER, SignIn

WWW = Path(__file__).resolve().parent.parent / "www"
UNREACHABLE, UNAUTHORISED, PARSE, OFFLINE = 1, 3, 5, 20
_ERRORS = {
    "1": "Incorrect or invalid username/password",
    "2": "Temporary server error, please try again",
    "3": "Unauthorized user.",
}
_DAY_S = 24 * 3600


def _page(name: str, **values: str) -> bytes:
    """Fill a page; every value is escaped."""
    text = (WWW / name).read_text(encoding="utf-8")
    safe = {key: html.escape(value) for key, value in values.items()}
    return (
        Template(text)
        .substitute(
            safe, standin=html.escape(NAME), version=html.escape(claimed_version() + SUFFIX)
        )
        .encode()
    )


def _json(value: dict[str, Any]) -> Reply:
    return Reply(200, json.dumps(value).encode(), "application/json")


def _error(code: int, message: str) -> Reply:
    return _json({"error": {"code": code, "message": message}})


class Web:
    """All that this server answers."""

    def __init__(
        self, options: Options, *, key: KeyPair, cookies: Cookies, sessions: Sessions, log: Log
    ) -> None:
        self._key = key
        self._cookies = cookies
        self._sessions = sessions
        self._log = log
        self._sign_in = SignIn(options, log)
        self._encrypts = options.flag("auth-encrypt-password", True)
        self._needs_browser = options.flag("www-verify-user-agent", True)
        self._has_no_auth = options.flag("auth-none", os.getuid() != 0)
        self._idle_s = options.number("auth-timeout-minutes", 60) * 60
        self._stay_s = options.number("auth-stay-signed-in-days", 30) * _DAY_S
        self._token_names = (CSRF,) if is_at_least("2024.01") else (CSRF, OLD_CSRF)

    def answer(self, request: Request) -> Reply:
        """Answer one request."""
        known = {
            "/": self._index,
            "/auth-sign-in": self._sign_in_page,
            "/auth-public-key": self._public_key,
            "/auth-do-sign-in": self._do_sign_in,
            "/auth-sign-out": self._sign_out,
            "/unsupported_browser.htm": self._unsupported,
            "/offline.htm": self._offline,
            "/js/encrypt.js": self._script,
            "/js/console.js": self._script,
        }
        if request.path.startswith(("/rpc/", "/events/")):
            return self._call(request)
        handler = known.get(request.path)
        if handler is None:
            return Reply(404, b"<h1>Not Found</h1>")
        reply = handler(request)
        reply.headers += [("X-Frame-Options", "DENY"), ("X-Content-Type-Options", "nosniff")]
        return reply

    def _user(self, request: Request) -> str | None:
        if self._has_no_auth:
            return pwd.getpwuid(os.getuid()).pw_name
        return self._cookies.read(request.cookie("user-id"))

    def _refused(self, request: Request) -> Reply | None:
        """Send away who is no browser, and everybody when the server is offline."""
        if (state_dir() / "offline").exists():
            return Reply().redirect(request, "offline.htm")
        if self._needs_browser and not request.is_browser:
            return Reply().redirect(request, "unsupported_browser.htm")
        return None

    def _to_sign_in(self, request: Request, app_uri: str, error: int = OK) -> Reply:
        fields = {"appUri": app_uri, **({"error": str(error)} if error else {})}
        reply = Reply()
        if not error:
            self._clear(request, reply)
        return reply.redirect(request, "auth-sign-in?" + urlencode(fields))

    @staticmethod
    def _clear(request: Request, reply: Reply) -> None:
        for name in ("user-id", "user-list-id", "persist-auth"):
            reply.set_cookie(request, name, "", age_s=0)

    def _set_tokens(self, request: Request, reply: Reply) -> str:
        token = request.csrf_cookie or str(uuid.uuid4())
        for name in self._token_names:
            reply.set_cookie(request, name, token)
        return token

    def _index(self, request: Request) -> Reply:
        if refused := self._refused(request):
            return refused
        user = self._user(request)
        if user is None:
            return self._to_sign_in(request, request.target)
        reply = Reply()
        token = self._set_tokens(request, reply)
        reply.body = _page("index.htm", user=user, token=token)
        return reply

    def _sign_in_page(self, request: Request) -> Reply:
        if refused := self._refused(request):
            return refused
        if self._user(request) is not None:
            return Reply().redirect(request, request.asked("appUri") or "/")
        error = request.asked("error")
        reply = Reply()
        token = self._set_tokens(request, reply)
        reply.body = _page(
            "templates/encrypted-sign-in.htm",
            app_uri=request.asked("appUri"),
            token=token,
            old_token_name=self._token_names[-1],
            encrypts="1" if self._encrypts else "0",
            error=_ERRORS.get(error, error),
            error_display="block" if error else "none",
        )
        return reply

    def _public_key(self, _request: Request) -> Reply:
        return Reply(200, self._key.public_text.encode(), "text/plain")

    def _credentials(self, request: Request) -> tuple[str, str]:
        """Read user and password; raises ValueError."""
        if not self._encrypts:
            return request.form("username"), request.form("password")
        try:
            data = base64.b64decode(request.form("v"), validate=True)
        except binascii.Error as error:
            raise ValueError(str(error)) from error
        text = self._key.decrypt(data).decode("utf-8")
        user, newline, password = text.partition("\n")
        if not newline:
            raise ValueError("Didn't find newline in plaintext")
        return user, password

    def _do_sign_in(self, request: Request) -> Reply:
        if request.method != "POST":
            return Reply(404, b"<h1>Not Found</h1>")
        app_uri = request.form("appUri")
        if not request.has_csrf_form:
            self._log.say_error("Missing or incorrect token.")
            if is_at_least("2023.03"):
                return self._to_sign_in(request, app_uri, SERVER)
            return Reply(400, b"Missing or incorrect token.")
        try:
            user, password = self._credentials(request)
        except ValueError as error:
            self._log.say_error(f"Cannot decrypt what the browser has sent: {error}")
            return self._to_sign_in(request, app_uri, SERVER)
        result = self._sign_in.check(user, password)
        if result != OK:
            return self._to_sign_in(request, app_uri, result)
        persists = request.form("persist" if self._encrypts else "staySignedIn") == "1"
        return self._signed_in(request, user, app_uri, persists=persists)

    def _signed_in(self, request: Request, user: str, app_uri: str, *, persists: bool) -> Reply:
        reply = Reply()
        valid_s = self._idle_s or self._stay_s
        age_s = valid_s if persists else None
        reply.set_cookie(request, "user-id", self._cookies.sign(user, valid_s), age_s=age_s)
        known = self._cookies.sign("9c16856330a7400cbbbba228392a5d83", valid_s)
        reply.set_cookie(request, "user-list-id", known, age_s=age_s)
        if self._idle_s:
            reply.set_cookie(request, "persist-auth", "1" if persists else "0", age_s=valid_s)
        self._set_tokens(request, reply)
        self._log.say_info(f"User {user} has signed in")
        # Below our own address, whatever the form says
        return reply.redirect(request, app_uri)

    def _sign_out(self, request: Request) -> Reply:
        if not request.has_csrf_form:
            return Reply(400, b"Missing or incorrect token.")
        self._cookies.revoke(request.cookie("user-id"))
        reply = Reply()
        self._clear(request, reply)
        return reply.redirect(request, "auth-sign-in")

    def _unsupported(self, _request: Request) -> Reply:
        return Reply(200, _page("unsupported_browser.htm"))

    def _offline(self, _request: Request) -> Reply:
        return Reply(503, _page("offline.htm"))

    def _script(self, request: Request) -> Reply:
        return Reply(200, (WWW / request.path[1:]).read_bytes(), "text/javascript")

    def _call(self, request: Request) -> Reply:
        if (state_dir() / "offline").exists():
            return _error(OFFLINE, "Server is offline")
        user = self._user(request)
        if user is None or not request.has_csrf_header or request.method != "POST":
            return _error(UNAUTHORISED, "Unauthorized")
        try:
            content = json.loads(request.body)
        except ValueError:
            content = None
        if not isinstance(content, dict):
            return _error(PARSE, "Parse error")
        content["method"] = request.path.rsplit("/", 1)[-1]
        answer = self._sessions.call(user, content)
        if answer is None:
            return _error(UNREACHABLE, "Unable to connect to service")
        return _json(answer)
