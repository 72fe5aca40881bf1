"""Keeps what outlives a start: the cookie key, the session key and the database."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import sqlite3
import time
import uuid
from pathlib import Path
from urllib.parse import quote, unquote

from .options import Options, below_root, config_dir


def state_dir() -> Path:
    """Find the server's state folder."""
    return below_root("/var/lib/rstudio-server")


def _make_key(path: Path) -> str:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(str(uuid.uuid4()))
    return path.read_text(encoding="utf-8").strip()


def _make_database(path: Path) -> None:
    """Make the file by its first use, as the real server does."""
    database = sqlite3.connect(str(path))
    database.execute("CREATE TABLE IF NOT EXISTS schema_version (version TEXT)")
    database.execute(
        "CREATE TABLE IF NOT EXISTS revoked_cookie (expiration TEXT, cookie_data TEXT)"
    )
    database.commit()
    database.close()


def make_all(options: Options) -> Cookies:
    """Make the keys and the database where they are missing; raises OSError or sqlite3.Error."""
    state = state_dir()
    state.mkdir(parents=True, exist_ok=True)
    in_config = config_dir() / "secure-cookie-key"
    default = in_config if in_config.exists() else state / "secure-cookie-key"
    key = _make_key(Path(options.text("secure-cookie-key-file", str(default))))
    _make_key(state / "session-rpc-key")
    _make_database(state / "rstudio-os.sqlite")
    return Cookies(key)


class Cookies:
    """Signs and reads the cookie that says who is signed in."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()
        self._revoked: set[str] = set()

    def _signature(self, user: str, until: str) -> str:
        made = hmac.new(self._key, (user + until).encode(), hashlib.sha256).digest()
        return base64.b64encode(made).decode()

    def sign(self, user: str, valid_s: int) -> str:
        """Make the cookie of a user."""
        until = str(int(time.time()) + valid_s)
        return quote("|".join((user, until, self._signature(user, until))), safe="")

    def read(self, cookie: str) -> str | None:
        """Give the user whose cookie it is, when it is ours and still valid."""
        parts = unquote(cookie).split("|")
        if len(parts) != 3 or cookie in self._revoked:
            return None
        user, until, signature = parts
        is_ours = hmac.compare_digest(signature, self._signature(user, until))
        return user if is_ours and int(until) > time.time() else None

    def revoke(self, cookie: str) -> None:
        """Refuse a cookie from now on."""
        self._revoked.add(cookie)
