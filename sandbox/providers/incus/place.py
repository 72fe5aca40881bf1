"""Where in Incus our things are: names that all come from one prefix."""

import re
from dataclasses import dataclass

from sandbox.errors import UsageError

LOCAL = "local"
"""Incus's own name for the daemon of this machine."""


_PREFIX = re.compile(r"[a-z][a-z0-9-]{0,9}")


_REMOTE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class IncusPlace:
    """Where in Incus our things are."""

    project: str
    pool: str
    network: str
    remote: str = LOCAL

    @classmethod
    def from_prefix(cls, prefix: str, remote: str = LOCAL) -> "IncusPlace":
        """The place that `prefix` stands for on `remote`.

        Raises:
            UsageError: the prefix is too long for a bridge's name (15 bytes), or not a plain word.
        """
        if not _PREFIX.fullmatch(prefix):
            raise UsageError(
                f"{prefix!r} cannot be the prefix of our Incus names",
                hint="at most 10 lower case letters, digits and dashes, a letter first",
            )
        if not _REMOTE.fullmatch(remote):
            raise UsageError(
                f"{remote!r} is not the name of an Incus remote", hint="incus remote list"
            )
        return cls(project=prefix, pool=prefix, network=f"{prefix}br0", remote=remote)

    @property
    def is_local(self) -> bool:
        """Whether its instances are on this machine."""
        return self.remote == LOCAL
