"""The login key of a machine, given to it without a login."""

from typing import Protocol, runtime_checkable

from sandbox.events import Listener


@runtime_checkable
class RenewsLogin(Protocol):
    """Engines that can let a key in from outside, whatever the machine's own files say."""

    def renew_login(self, name: str, authorized_key: str, listener: Listener) -> None:
        """Let `authorized_key` log in to the running machine; other keys stay as they are.

        Raises:
            ProviderError: absent, not ours, or the account cannot be prepared.
        """
        ...
