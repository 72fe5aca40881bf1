"""Base images, the same for every provider: the wanted one, the present ones, the kept ones."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from sandbox.errors import ProviderError
from sandbox.fetch.routes import Routes
from sandbox.images.sources import ArchivesAnswer
from sandbox.spec.base_models import Base
from sandbox.spec.choices import BaseSource
from sandbox.spec.models import Mirror, VagrantOptions

if TYPE_CHECKING:
    # A listing of base images fetches nothing
    from sandbox.fetch.fetcher import Fetcher
    from sandbox.images.build import Ahead


@dataclass(frozen=True)
class WantedBase:
    """The base image that a plan starts from, and where it may come from."""

    base: Base
    source: BaseSource = "auto"
    mirror: Mirror | None = None
    options: VagrantOptions | None = None
    """The box's settings for this provider."""
    archives: ArchivesAnswer | None = None
    """The answer of this host's apt, if it was asked before."""
    routes: Callable[[], Routes] = Routes
    """Which mirrors and which proxy; asked only when something is fetched: it may want a secret."""
    fetcher: "Callable[[], Fetcher] | None" = None
    """Makes what fetches on this host, by these routes."""
    ahead: "Ahead | None" = None
    """What will be installed on top, for whom it helps to know early what that needs."""
    identity: str = ""
    """The very image, and no other: nothing is built or fetched, and nobody's apt is asked."""


def not_here(wanted: WantedBase) -> ProviderError:
    """Return the error for an image that a bundle brought, and that is gone."""
    return ProviderError(
        f"the base image of the bundle is not here any more: {wanted.base.name}, "
        f"{wanted.identity[:12]}",
        hint="the bundle has it: sandbox up FILE, with the file of the bundle",
    )


@dataclass(frozen=True)
class PreparedBase:
    """A base image that the provider has."""

    image: str
    """The name for `MachineSpec.image`."""
    identity: str
    """Which build of the base image this is: an image that was made again has another one."""
    packages: frozenset[str] | None
    """The names of all packages in its archive; None when nobody listed them."""


@dataclass(frozen=True, kw_only=True)
class StoredBase:
    """A base image of ours that a provider keeps."""

    image: str
    """Its name in the provider's own store."""
    base: str
    key: str
    made_at: datetime
    used_at: datetime | None = None
    """When a machine was last made from it; None where the provider does not note that."""
    size_bytes: int | None = None
    machines: tuple[str, ...] = ()
    """The sandboxes that were made from it and still need it."""
    whole: bool = True
    """False for an image that was cut off while it was made."""
    outdated: bool = False
    """There is a newer one of the same base."""
    title: str
    """The name for messages."""
    remove: Callable[[], bool] = field(repr=False, compare=False)
    """Removes it and the rest of its build; False when somebody is making it again just now."""
