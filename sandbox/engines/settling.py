"""What a provider goes on with by itself, when the command that began it was killed."""

from typing import Protocol, runtime_checkable


@runtime_checkable
class Settling(Protocol):
    """Engines whose provider goes on with what a killed command began."""

    def is_busy(self, name: str) -> bool:
        """Whether the provider is doing something to the machine at the moment."""
        ...

    def settle(self, name: str) -> None:
        """Wait for the end of it.

        Raises:
            ProviderError: it does not end.
        """
        ...
