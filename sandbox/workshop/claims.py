"""The cookie by which a browser comes back to its seat: only its hash is kept.

Also where the claim page answers: the proxy and the page's own process must agree on it.
"""

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sandbox.spec.workshop import Listen
    from sandbox.workshop.store import WorkshopStore

COOKIE: Final = "sandbox-seat"
CLAIM_ADDRESS: Final = "127.0.0.1"
"""Only the proxy of this host asks the claim page."""
_BYTES: Final = 24
_LAST_PORT: Final = 65_535


def new_claim() -> str:
    """Make what the browser keeps."""
    return secrets.token_urlsafe(_BYTES)


def hash_of(claim: str) -> str:
    """Return what the seat map keeps: nobody who reads the map can be that browser."""
    return hashlib.sha256(claim.encode()).hexdigest()


def is_secret(given: str, wanted: str) -> bool:
    """Compare two secrets in a time that says nothing of them."""
    return hmac.compare_digest(given.encode(), wanted.encode())


def claim_port(listen: "Listen") -> int:
    """Return the port of the claim page: the next one to the trainer's page that is free of ours.

    Beyond the last port it goes on below the trainer's page.
    """
    above = range(listen.page_port + 1, _LAST_PORT + 1)
    below = range(listen.page_port - 1, 0, -1)
    return next(one for ports in (above, below) for one in ports if one != listen.port)


def claim_upstream(store: "WorkshopStore") -> str:
    """Return where the proxy finds the claim page of an open workshop: `127.0.0.1:8091`.

    Raises:
        UsageError: the workshop is not open here.
        BrokenFileError: its record is damaged.
    """
    return f"{CLAIM_ADDRESS}:{claim_port(store.require().workshop.listen)}"
