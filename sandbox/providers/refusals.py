"""What engines say alike when they refuse."""

from sandbox.errors import ProviderError


def has_already(name: str, snapshot: str) -> ProviderError:
    """What `save_snapshot` says when there is one of that name."""
    return ProviderError(
        f"{name} has a snapshot {snapshot} already",
        hint=f"sandbox snapshot delete {name} {snapshot}, or choose another name",
    )
