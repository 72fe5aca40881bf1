"""Engines: what speaks to the providers. Each is imported only when it is asked for."""

from collections.abc import Callable

from sandbox.engines.base import Engine
from sandbox.engines.incus_client import IncusPlace
from sandbox.errors import HostError


def _incus(place: IncusPlace) -> Engine:
    from sandbox.engines.incus import IncusEngine

    return IncusEngine(place)


ENGINES: dict[str, Callable[[IncusPlace], Engine]] = {"incus": _incus}
"""Provider to engine. The fake one is not a user's choice: tests make it themselves."""


def make_engine(provider: str, place: IncusPlace) -> Engine:
    """The engine that drives `provider`.

    Raises:
        HostError: there is none for it.
    """
    if provider not in ENGINES:
        raise HostError(
            f"this version of sandbox cannot drive {provider}",
            hint=f"use --provider {next(iter(ENGINES))}",
        )
    return ENGINES[provider](place)
