"""nginx in front of Shiny Server and RStudio Server, as Debian ships it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from sandbox.endpoints import Endpoint, app_endpoints
from sandbox.servers import rstudio
from sandbox.servers.server import Server, Variables

if TYPE_CHECKING:
    from sandbox.spec.models import System
    from sandbox.spec.services import Services

_NAME: Final = "nginx"
_DEFAULT_PORT: Final = 80
_DEFAULT_UPSTREAM: Final = 3838


def _endpoints(services: "Services", apps: Sequence[str]) -> tuple[Endpoint, ...]:
    nginx = services.nginx
    if nginx is None:
        return ()
    before_rstudio = rstudio.page_behind(services, _NAME, nginx.port)
    if services.shiny_server is None:
        return before_rstudio
    return (*app_endpoints(_NAME, nginx.port, apps, title=_NAME), *before_rstudio)


def _variables(services: "Services", system: "System") -> Variables:
    del system
    nginx, behind = services.nginx, services.shiny_server
    return {
        "nginx_wanted": nginx is not None,
        "nginx_port": nginx.port if nginx is not None else _DEFAULT_PORT,
        "nginx_upstream_wanted": behind is not None,
        "nginx_upstream_port": behind.port if behind is not None else _DEFAULT_UPSTREAM,
        **rstudio.variables_of_front(services),
    }


SERVER: Final = Server(
    name=_NAME,
    title=_NAME,
    unit="nginx",
    processes=frozenset({"nginx"}),
    packages=("nginx",),
    endpoints=_endpoints,
    variables=_variables,
)
