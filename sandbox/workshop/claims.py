"""The cookie by which a browser comes back to its seat: only its hash is kept."""

import hashlib
import hmac
import secrets
from typing import Final

COOKIE: Final = "sandbox-seat"
_BYTES: Final = 24


def new_claim() -> str:
    """Make what the browser keeps."""
    return secrets.token_urlsafe(_BYTES)


def hash_of(claim: str) -> str:
    """Return what the seat map keeps: nobody who reads the map can be that browser."""
    return hashlib.sha256(claim.encode()).hexdigest()


def is_secret(given: str, wanted: str) -> bool:
    """Compare two secrets in a time that says nothing of them."""
    return hmac.compare_digest(given.encode(), wanted.encode())
