"""What a user may ask of `host setup` and `host teardown`, and how they end."""

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network


class SetupOutcome(StrEnum):
    """How a setup or teardown ended."""

    UNCHANGED = "unchanged"
    CHANGED = "changed"
    DECLINED = "declined"


@dataclass(frozen=True)
class Keep:
    """What teardown leaves in place."""

    daemon: bool = False
    packages: bool = True


@dataclass(frozen=True)
class SetupWishes:
    """What the user may choose about the place that setup makes; None: it chooses by itself."""

    pool_gb: int | None = None
    subnet: IPv4Network | None = None
