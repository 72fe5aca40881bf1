"""The configuration of the proxy in front of all seats: one host name a seat. Pure.

nginx reads the seats from files with a `map`. To move a seat, its line changes and nginx reloads:
connections that are open stay open at the old workers until they end.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sandbox.render import jinja_environment

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
class PathOfServer:
    """A server under a seat's name."""

    server: str
    """rstudio_server, shiny_server, plumber."""
    path: str
    """`/`, or a path with a slash at both ends, which the server does not see."""


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
    paths: tuple[PathOfServer, ...]
    certificate: str = ""
    """The path of the PEM file; empty without TLS."""
    key: str = ""


def proxy_conf(settings: ProxySettings) -> str:
    """Write nginx.conf; it changes only when the workshop's file does."""
    template = jinja_environment().get_template("workshop/nginx.conf.j2")
    return template.render(proxy=settings, maps=[one.server for one in settings.paths])


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


def paths_of(servers: Sequence[str]) -> tuple[PathOfServer, ...]:
    """Give the servers of a box their paths: what people work in has the whole name."""
    order = [one for one in ("rstudio_server", "shiny_server", "plumber") if one in servers]
    below = {"rstudio_server": "/rstudio/", "shiny_server": "/shiny/", "plumber": "/api/"}
    return tuple(
        PathOfServer(one, "/" if number == 0 else below[one]) for number, one in enumerate(order)
    )
