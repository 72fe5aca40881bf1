"""The questions that the program asks of a provider. Each provider's folder makes one object."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from sandbox.events import Listener
from sandbox.providers.engine import Engine, MachineStatus
from sandbox.providers.findings import HostReport
from sandbox.providers.place import Place

if TYPE_CHECKING:
    # A listing of machines needs no models
    from sandbox.host.setup import Keep, SetupOutcome, SetupWishes
    from sandbox.plan import HostLimits
    from sandbox.providers.base_images import PreparedBase, StoredBase, WantedBase

Confirm = Callable[[list[str]], bool]
"""Shows a person what will be done, one line for each thing; False: do nothing."""


@runtime_checkable
class Provider(Protocol):
    """Runs machines. Abilities that only some have are separate protocols, to be asked for."""

    @property
    def name(self) -> str:
        """Its word in boxes, on the command line and in listings."""
        ...

    @property
    def title(self) -> str:
        """The name that people use."""
        ...

    @property
    def linux_only(self) -> bool:
        """Whether it only exists on Linux."""
        ...

    def make_engine(self, place: Place) -> Engine:
        """Make the engine that creates, starts, stops and destroys its machines."""
        ...

    def statuses(self, place: Place) -> dict[str, MachineStatus]:
        """List all our machines, for a listing: without the engine where that takes long to load.

        Raises:
            HostError, ProviderError: it cannot be asked.
        """
        ...

    def made(self, folder: Path) -> bool:
        """Tell whether the files in an instance's folder say that this provider runs it."""
        ...

    def report(self, place: Place) -> HostReport:
        """Report all findings of `doctor`: read without changing anything, in less than a second.

        Raises:
            HostError: this host cannot be read at all.
        """
        ...

    def limits(self, place: Place) -> "HostLimits | None":
        """Return the most that one machine can get here; None where the provider runs elsewhere.

        Raises:
            HostError: this host cannot be read.
        """
        ...

    def prepare_base(
        self, wanted: "WantedBase", place: Place, listener: Listener
    ) -> "PreparedBase":
        """Find, build or fetch a base image.

        Raises:
            BoxError: the base names something that is not possible.
            HostError: this host cannot build it, or has no space left.
            ProviderError: the build, the fetch or the import failed.
        """
        ...

    def stored_bases(self, place: Place) -> "tuple[StoredBase, ...]":
        """List our base images that it keeps, the newest first.

        Raises:
            HostError, ProviderError: it cannot be asked.
        """
        ...

    def needed_builds(self, place: Place) -> frozenset[str]:
        """Return the keys of base images with a build folder on this host that is still of use.

        Raises:
            HostError, ProviderError: it cannot be asked.
        """
        ...


@runtime_checkable
class HostSetup(Protocol):
    """Providers that `host setup` can make ready on this host, and `host teardown` take back."""

    @property
    def setup_wishes(self) -> frozenset[str]:
        """The fields of `SetupWishes` that it uses."""
        ...

    def set_up_host(
        self, place: Place, wishes: "SetupWishes", *, confirm: Confirm, listener: Listener
    ) -> "SetupOutcome":
        """Make this host ready, after `confirm` was shown exactly what will be done.

        Raises:
            HostError: the host cannot be made ready; the error says why and what to do.
            ProviderError: the provider refused something.
        """
        ...

    def take_back_host(
        self, place: Place, keep: "Keep", *, confirm: Confirm, sure: bool, listener: Listener
    ) -> "SetupOutcome":
        """Take back what setup made, after `confirm` was shown exactly what that is.

        With `sure`, sandboxes that still exist are destroyed.

        Raises:
            UsageError: sandboxes still exist, and the user is not `sure`.
            HostError: something cannot be taken back.
            ProviderError: the provider refused something.
        """
        ...

    def advice_after_setup(self) -> tuple[str, ...]:
        """List notes for the person once the host is ready, one line each."""
        ...
