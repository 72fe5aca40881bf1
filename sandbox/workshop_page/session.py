"""The trainer's sign-in: a cookie that only this workshop's secret can make, for one day.

Nothing is kept: when the page's process starts again, the trainer is still signed in.
"""

import hashlib
import hmac
import secrets
import time
from typing import Final

LASTS_S: Final = 24 * 3600


def cookie_name(workshop: str) -> str:
    """Name the cookie: cookies know no ports, and two workshops can be open on one host."""
    return f"sandbox-trainer-{workshop}"


def new_session(secret: str, now_s: float | None = None) -> str:
    """Make the cookie of somebody who knew the secret."""
    ends = int((time.time() if now_s is None else now_s) + LASTS_S)
    said = f"{ends}.{secrets.token_urlsafe(12)}"
    return f"{said}.{_proof(secret, said)}"


def is_session(secret: str, cookie: str, now_s: float | None = None) -> bool:
    """Tell whether a cookie was made with this secret, and has not ended."""
    said, _, proof = cookie.rpartition(".")
    if not hmac.compare_digest(proof.encode(), _proof(secret, said).encode()):
        return False
    ends = said.partition(".")[0]
    return int(ends) > (time.time() if now_s is None else now_s)


def _proof(secret: str, said: str) -> str:
    return hmac.new(secret.encode(), f"trainer {said}".encode(), hashlib.sha256).hexdigest()
