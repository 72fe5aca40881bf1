"""A user's options for `host setup` and `host teardown`, and their results."""

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
    """A user's choices for the place that setup makes; None: setup chooses."""

    pool_gb: int | None = None
    subnet: IPv4Network | None = None
