"""Shiny Server, as Debian ships it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from sandbox.endpoints import Endpoint, Proof, app_endpoints
from sandbox.servers.server import Server, Variables
from sandbox.servers.shiny_config import shiny_role_variables

if TYPE_CHECKING:
    from sandbox.spec.models import System
    from sandbox.spec.services import Services
    from sandbox.spec.shiny_server import ShinyServer

_NAME: Final = "shiny_server"
_TITLE: Final = "Shiny Server"
_DEFAULT_PORT: Final = 3838
_LOOPBACK: Final = "127.0.0.1"


def _endpoints(services: "Services", apps: Sequence[str]) -> tuple[Endpoint, ...]:
    shiny = services.shiny_server
    if shiny is None:
        return ()
    is_local = shiny.host == _LOOPBACK
    own = app_endpoints(_NAME, shiny.port, apps, title=_TITLE)
    if is_local:
        own = tuple(replace(one, is_local=True) for one in own)
    return (*own, *_further(shiny, apps))


def _further(shiny: "ShinyServer", apps: Sequence[str]) -> Iterator[Endpoint]:
    """The locations that the box names; of a host's name only the port can be proven."""
    for site in shiny.sites:
        for location in site.locations or ():
            is_app = location.app in apps and getattr(site, "server_name", None) is None
            path = location.path.rstrip("/")
            if site is shiny and path.removeprefix("/") in apps:
                # One of the apps' own places, with settings of its own
                continue
            yield Endpoint(
                name=f"{site.port}{path or '/'}",
                service=_NAME,
                port=site.port,
                path=f"{path}/",
                proof=Proof.PAGE if is_app else Proof.PORT,
                is_local=site.host == _LOOPBACK,
            )


def _variables(services: "Services", system: "System") -> Variables:
    shiny = services.shiny_server
    further = shiny_role_variables(shiny) if shiny is not None else {}
    return {
        **further,
        "shiny_server_wanted": shiny is not None,
        "shiny_server_port": shiny.port if shiny is not None else _DEFAULT_PORT,
        "shiny_server_limit_nofile": system.limits.nofile,
    }


SERVER: Final = Server(
    name=_NAME,
    title=_TITLE,
    unit="shiny-server",
    # As Debian ships it, the process may be called node
    processes=frozenset({"shiny-server", "node"}),
    packages=("shiny-server",),
    log_file="/var/log/shiny-server.log",
    serves_apps=True,
    # Each R process of an app has a port of its own
    workers=frozenset({"R"}),
    endpoints=_endpoints,
    variables=_variables,
)
