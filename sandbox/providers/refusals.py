"""Refusals that engines share."""

from sandbox.errors import ProviderError


def has_already(name: str, snapshot: str) -> ProviderError:
    """Return the error of `save_snapshot` when there is a snapshot of that name."""
    return ProviderError(
        f"{name} has a snapshot {snapshot} already",
        hint=f"sandbox snapshot delete {name} {snapshot}, or choose another name",
    )
