"""The names of our things, at every provider: all are made from one prefix."""

import re
from dataclasses import dataclass

from sandbox.errors import UsageError

LOCAL = "local"
"""Incus's word for the remote that is this machine."""

_PREFIX = re.compile(r"[a-z][a-z0-9-]{0,9}")
_REMOTE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Place:
    """One prefix on one host: another prefix is another user, or a test."""

    prefix: str
    remote: str = LOCAL
    """The remote, for a provider that can run elsewhere."""
    other_remotes: tuple[str, ...] = ()
    """More remotes that lead to the same servers: the first that answers is asked."""

    @classmethod
    def from_prefix(cls, prefix: str, remote: str = LOCAL) -> "Place":
        """Return the place for `prefix` on `remote`.

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
        return cls(prefix, remote)

    @property
    def is_local(self) -> bool:
        """Whether its machines are on this host, whatever their provider."""
        return self.remote == LOCAL
