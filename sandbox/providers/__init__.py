"""Providers: the programs that run machines. Each has a folder here, loaded when it is needed.

No other code knows what is in such a folder, or decides anything by a provider's name: it asks
`Provider` (provider.py), `Engine` (engine.py) and the abilities (abilities.py).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sandbox.errors import HostError
from sandbox.spec.choices import ProviderName

if TYPE_CHECKING:
    # The command line needs only the names, to complete them
    from sandbox.providers.provider import Provider

PROVIDERS: Final[tuple[ProviderName, ...]] = ("virtualbox", "incus", "libvirt")
"""When nobody chose, the first usable provider in this order is taken."""

FALLBACK: Final[ProviderName] = "incus"
"""Used when nobody chose and none is usable: it only needs Linux, and can be set up."""


def load_provider(name: str) -> "Provider":
    """Load the provider of that name. `fake` is not one of them: tests make it themselves.

    Raises:
        HostError: there is no provider of that name.
    """
    if name not in PROVIDERS:
        raise HostError(
            f"this version of sandbox cannot drive {name}", hint=f"use --provider {FALLBACK}"
        )
    found: Provider = import_module(f"{__name__}.{name}.provider").PROVIDER
    return found


class Registry(Mapping[str, "Provider"]):
    """The providers by name, each loaded when it is first asked for."""

    def __init__(
        self, names: Sequence[str] = PROVIDERS, load: Callable[[str], "Provider"] = load_provider
    ) -> None:
        self._names = tuple(names)
        self._load = load

    def __getitem__(self, name: str) -> "Provider":
        """That provider.

        Raises:
            HostError: there is none of that name.
        """
        return self._load(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def maker_of(self, folder: Path) -> str | None:
        """Name the provider that made the machine of an instance's folder; None if no file says."""
        return next((name for name, one in self.items() if one.made(folder)), None)
