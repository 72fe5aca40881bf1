"""Shiny Server, as Debian ships it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from sandbox.endpoints import Endpoint, app_endpoints
from sandbox.servers.server import Server, Variables

if TYPE_CHECKING:
    from sandbox.spec.models import System
    from sandbox.spec.services import Services

_NAME: Final = "shiny_server"
_TITLE: Final = "Shiny Server"
_DEFAULT_PORT: Final = 3838


def _endpoints(services: "Services", apps: Sequence[str]) -> tuple[Endpoint, ...]:
    shiny = services.shiny_server
    return app_endpoints(_NAME, shiny.port, apps, title=_TITLE) if shiny is not None else ()


def _variables(services: "Services", system: "System") -> Variables:
    shiny = services.shiny_server
    return {
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
