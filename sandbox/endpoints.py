"""Where a machine's services answer: the one list used for forwarding, waiting and listings."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self

from sandbox.saved import text_of

BROWSER: Final = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/140.0.0.0 Safari/537.36"
)
"""How we name ourselves to a server that turns away what is no browser of today (RStudio's)."""


class Proof(StrEnum):
    """How we test that an endpoint is ready."""

    PAGE = "page"
    """Its page answers with status 200."""
    PORT = "port"
    """Something listens on its port."""


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One page of a machine that a browser can open."""

    name: str
    """The name shown to users: an app's name, or its server's title."""
    service: str
    """The server behind it, by its key under `services:` of a box."""
    port: int
    """The port on the machine."""
    path: str
    """The path, with a slash at its beginning."""
    proof: Proof
    is_app: bool = False
    """Whether it is an app of the box, and not a server's own page."""
    is_local: bool = False
    """Whether it answers inside the machine only; people reach it through ssh."""

    kind: str = ""
    """What it is, where it is neither an app nor a server's own page: API."""

    @property
    def way(self) -> str:
        """The key of its URL among those of all servers: a server may have several ports."""
        return f"{self.service}:{self.port}"

    @property
    def title(self) -> str:
        """The name as it stands in a sentence."""
        kind = "app" if self.is_app else self.kind
        return f"the {kind} {self.name}" if kind else self.name

    @classmethod
    def from_saved(cls, saved: dict[str, Any]) -> Self:
        """Read one endpoint from a record's summary.

        Raises:
            KeyError, TypeError, ValueError: the summary is not in this form.
        """
        port, is_app = saved["port"], saved["is_app"]
        # Records before it do not have it
        is_local = saved.get("is_local", False)
        if not isinstance(port, int) or not isinstance(is_app, bool):
            raise TypeError("endpoint")
        if not isinstance(is_local, bool):
            raise TypeError("endpoint")
        return cls(
            name=text_of(saved["name"]),
            service=text_of(saved["service"]),
            port=port,
            path=text_of(saved["path"]),
            proof=Proof(saved["proof"]),
            is_app=is_app,
            is_local=is_local,
            kind=text_of(saved.get("kind", "")),
        )


def app_endpoints(
    service: str, port: int, apps: Sequence[str], *, title: str
) -> tuple[Endpoint, ...]:
    """List the pages of a box's apps at one server; without apps, the server's own place.

    Args:
        service: the server's key under `services:` of a box.
        port: on the machine.
        apps: the names of the box's apps.
        title: what the server is called.
    """
    if not apps:
        # Its own page says nothing of whether it is well
        return (Endpoint(name=title, service=service, port=port, path="/", proof=Proof.PORT),)
    return tuple(
        Endpoint(
            name=app, service=service, port=port, path=f"/{app}/", proof=Proof.PAGE, is_app=True
        )
        for app in apps
    )
