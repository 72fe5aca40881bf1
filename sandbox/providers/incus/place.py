"""The names of our objects in Incus."""

from dataclasses import dataclass

from sandbox.providers.place import LOCAL, Place


@dataclass(frozen=True)
class IncusPlace:
    """Our project, pool and network in one Incus."""

    project: str
    pool: str
    network: str
    remote: str = LOCAL
    other_remotes: tuple[str, ...] = ()
    """More remotes that lead to the same cluster."""

    @classmethod
    def at(cls, place: Place) -> "IncusPlace":
        """Return the names for `place` in Incus."""
        prefix = place.prefix
        return cls(
            project=prefix,
            pool=prefix,
            network=f"{prefix}br0",
            remote=place.remote,
            other_remotes=place.other_remotes,
        )

    @classmethod
    def from_prefix(cls, prefix: str, remote: str = LOCAL) -> "IncusPlace":
        """Return the place for `prefix` on `remote`.

        Raises:
            UsageError: as in `Place.from_prefix`.
        """
        return cls.at(Place.from_prefix(prefix, remote))

    @property
    def is_local(self) -> bool:
        """Whether its instances are on this machine."""
        return self.remote == LOCAL
