"""The configuration of the proxy in front of all seats: one host name a seat. Pure.

nginx reads the seats from files with a `map`. To move a seat, its line changes and nginx reloads:
connections that are open stay open at the old workers until they end.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from sandbox.render import jinja_environment
from sandbox.spec.services import Services

_LOOPBACK: Final = "127.0.0.1"
_HOST: Final = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*\Z")
_UPSTREAM: Final = re.compile(r"([0-9.]+|\[[0-9a-f:]+\]):[0-9]{1,5}\Z")


@dataclass(frozen=True)
class SeatRoute:
    """Where a seat answers now."""

    host: str
    """Its host name, lower case."""
    upstreams: Mapping[str, str]
    """By the name of its server: address and port."""


@dataclass(frozen=True)
class SeatFront:
    """A server of a seat, and where it is under the seat's name."""

    server: str
    """rstudio_server, shiny_server, plumber; the second API is plumber_2."""
    path: str
    """`/`, or a path with a slash at both ends, which the server does not see."""
    port: int
    """Its port in the seat."""


@dataclass(frozen=True)
class ProxySettings:
    """What is the same for all seats."""

    folder: str
    """Where nginx keeps its files; absolute."""
    listen: str
    """Address and port: `127.0.0.1:8080`, `[::1]:8080`."""
    claim_host: str
    claim_upstream: str
    """Where the claim page answers on this host."""
    fronts: tuple[SeatFront, ...]
    user: str = ""
    """The account of nginx's workers; only where this program runs as root."""
    certificate: str = ""
    """The path of the PEM file; empty without TLS."""
    key: str = ""


def proxy_conf(settings: ProxySettings) -> str:
    """Write nginx.conf; it changes only when the workshop's file does."""
    template = jinja_environment().get_template("workshop/nginx.conf.j2")
    return template.render(proxy=settings)


def seats_file(hosts: Iterable[str]) -> str:
    """Write the map of all seats' names, whether they answer or not.

    Raises:
        ValueError: a host name that could be something else to nginx.
    """
    names = sorted(hosts)
    for host in names:
        if not _HOST.match(host):
            raise ValueError(f"no such host name: {host!r}")
    return "".join(f"{host} 1;\n" for host in names)


def map_file(server: str, routes: Iterable[SeatRoute]) -> str:
    """Write the map of one server: a line for each seat that answers.

    Raises:
        ValueError: a host name or an address that could be something else to nginx.
    """
    lines = []
    for route in routes:
        upstream = route.upstreams.get(server)
        if upstream is None:
            continue
        if not (_HOST.match(route.host) and _UPSTREAM.match(upstream)):
            raise ValueError(f"no such route: {route.host!r} to {upstream!r}")
        lines.append(f"{route.host} {upstream};\n")
    return "".join(sorted(lines))


def fronts_of(services: Services) -> tuple[SeatFront, ...]:
    """Give the servers of a box their paths: what people work in has the whole name.

    The second one is under /shiny/ or /api/; of several APIs each is under /api/ITS-NAME/.
    """
    found: list[tuple[str, str, int]] = []
    if services.rstudio_server is not None:
        found.append(("rstudio_server", "/rstudio/", services.rstudio_server.port))
    if services.shiny_server is not None:
        found.append(("shiny_server", "/shiny/", services.shiny_server.port))
    apis = services.plumber.all if services.plumber is not None else ()
    # What listens on the seat's own 127.0.0.1 only, no proxy reaches
    open_ones = [one for one in apis if one.host != _LOOPBACK]
    for number, api in enumerate(open_ones, 1):
        path = "/api/" if len(open_ones) == 1 else f"/api/{api.name}/"
        found.append(("plumber" if number == 1 else f"plumber_{number}", path, api.port))
    return tuple(
        SeatFront(server, path if at else "/", port)
        for at, (server, path, port) in enumerate(found)
    )
