"""The ports that the servers of a box listen on, each with its place in the box."""

from collections.abc import Iterator
from dataclasses import dataclass

from sandbox.spec.plumber import Plumber
from sandbox.spec.services import Services
from sandbox.spec.shiny_server import ShinyServer, ShinySite


@dataclass(frozen=True)
class Listens:
    """One port of one server."""

    service: str
    """The server's key under `services:`."""
    loc: tuple[str | int, ...]
    """The place of the port, below `services:`."""
    port: int
    usual: int | None = None
    """The port when the box says nothing; None where it must say one."""
    shares: bool = False
    """Whether another server of the same program may have the port: names of hosts tell them
    apart."""


def listening(services: Services) -> Iterator[Listens]:
    """Yield each port, in the order of the box."""
    for name, settings in services:
        if settings is None:
            continue
        if isinstance(settings, Plumber):
            usual = None if settings.apis else Plumber.model_fields["port"].default
            for loc, api in settings.placed:
                yield Listens(name, (*loc[1:], "port"), api.port, usual)
            continue
        yield Listens(
            name, (name, "port"), settings.port, type(settings).model_fields["port"].default
        )
        if isinstance(settings, ShinyServer):
            yield from _further(name, settings)


def _address(site: ShinyServer | ShinySite) -> str:
    """The address, in one spelling for all addresses."""
    return "::" if site.host in (None, "*") else str(site.host)


def _further(name: str, shiny: ShinyServer) -> Iterator[Listens]:
    before: list[ShinyServer | ShinySite] = [shiny]
    for index, site in enumerate(shiny.servers or ()):
        beside = [one for one in before if one.port == site.port]
        names = {name for one in beside for name in getattr(one, "server_name", None) or ()}
        shares = (
            site.server_name is not None
            and not names & set(site.server_name)
            and all(_address(one) == _address(site) for one in beside)
        )
        yield Listens(name, (name, "servers", index, "port"), site.port, shares=shares)
        before.append(site)
