"""Base images as every provider has them: what is wanted, what it has made, what it keeps."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from sandbox.images.sources import ArchivesAnswer
from sandbox.spec.base_models import Base
from sandbox.spec.choices import BaseSource
from sandbox.spec.models import Mirror, VagrantOptions


@dataclass(frozen=True)
class WantedBase:
    """The base image that a plan starts from, and where it may come from."""

    base: Base
    source: BaseSource = "auto"
    mirror: Mirror | None = None
    options: VagrantOptions | None = None
    """What the box says for the provider alone."""
    archives: ArchivesAnswer | None = None
    """What this host's apt said, where it was asked ahead."""


@dataclass(frozen=True)
class PreparedBase:
    """A base image that the provider has."""

    image: str
    """What `MachineSpec.image` takes."""
    identity: str
    """Which build of it: a base image that was made again is another one."""
    packages: frozenset[str] | None
    """The names of all packages that its archive has; None when nobody listed them."""


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
    """False for what was cut off in the making."""
    outdated: bool = False
    """There is a newer one of the same base."""
    title: str
    """What it is called in a message."""
    remove: Callable[[], bool] = field(repr=False, compare=False)
    """Removes it and what was kept of its build; False when somebody makes it again just now."""
