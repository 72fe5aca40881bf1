"""Where a machine's services answer: the one list that forwarding, waiting and listings go by."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from sandbox.saved import text_of


class Proof(StrEnum):
    """How it is proven that an endpoint is ready."""

    PAGE = "page"
    """Its page is answered with status 200."""
    PORT = "port"
    """Somebody listens on its port."""


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One thing of a machine that a browser can open."""

    name: str
    """As users are shown it: an app's name, or its server's title."""
    service: str
    """The server behind it, by its key in `services:` of a box."""
    port: int
    """On the machine."""
    path: str
    """With a slash at its beginning."""
    proof: Proof
    is_app: bool = False
    """An app of the box, not a server's own page."""

    @property
    def title(self) -> str:
        """As it stands in a sentence."""
        return f"the app {self.name}" if self.is_app else self.name

    @classmethod
    def from_saved(cls, saved: dict[str, Any]) -> Self:
        """Read what a record's summary says.

        Raises:
            KeyError, TypeError, ValueError: it says something else.
        """
        port, is_app = saved["port"], saved["is_app"]
        if not isinstance(port, int) or not isinstance(is_app, bool):
            raise TypeError("endpoint")
        return cls(
            name=text_of(saved["name"]),
            service=text_of(saved["service"]),
            port=port,
            path=text_of(saved["path"]),
            proof=Proof(saved["proof"]),
            is_app=is_app,
        )
