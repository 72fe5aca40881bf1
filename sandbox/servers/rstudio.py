"""RStudio Server, open source edition: its makers' own package, fetched by this host."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from sandbox.endpoints import Endpoint, Proof
from sandbox.servers.server import Server, Variables

if TYPE_CHECKING:
    from sandbox.spec.base_models import Base
    from sandbox.spec.models import System
    from sandbox.spec.r import R
    from sandbox.spec.rstudio import RstudioServer, Setting
    from sandbox.spec.services import Services

_NAME: Final = "rstudio_server"
TITLE: Final = "RStudio Server"
SIGN_IN: Final = "/auth-sign-in"
"""The path of its sign-in page."""
_DEFAULT_PORT: Final = 8787
_EVERYWHERE, _HERE = "0.0.0.0", "127.0.0.1"  # noqa: S104  (inside the machine; its provider decides who gets there)


def page_behind(services: "Services", front: str, port: int) -> tuple[Endpoint, ...]:
    """The sign-in page as the server in front of it hands it on; none where it has no path."""
    rstudio = services.rstudio_server
    if rstudio is None or rstudio.path is None:
        return ()
    return (_page(front, port, f"{rstudio.path}{SIGN_IN}"),)


def variables_of_front(services: "Services") -> Variables:
    """What the role of the server in front of it needs to know."""
    rstudio = services.rstudio_server
    return {
        "nginx_rstudio_path": rstudio.path if rstudio is not None else None,
        "nginx_rstudio_port": rstudio.port if rstudio is not None else _DEFAULT_PORT,
    }


def way_in(services: "Services") -> tuple[str, str]:
    """The server that people reach it through, and the path there: `("nginx", "/rstudio")`."""
    rstudio = services.rstudio_server
    path = rstudio.path if rstudio is not None else None
    return ("nginx", path) if path is not None else (_NAME, "")


def _page(service: str, port: int, path: str) -> Endpoint:
    return Endpoint(name=TITLE, service=service, port=port, path=path, proof=Proof.PAGE)


def _endpoints(services: "Services", apps: Sequence[str]) -> tuple[Endpoint, ...]:
    del apps
    rstudio = services.rstudio_server
    if rstudio is None or rstudio.path is not None:
        return ()
    return (_page(_NAME, rstudio.port, SIGN_IN),)


def _loopback_ports(services: "Services") -> tuple[int, ...]:
    rstudio = services.rstudio_server
    return (rstudio.port,) if rstudio is not None and rstudio.path is not None else ()


def _variables(services: "Services", system: "System") -> Variables:
    del system
    rstudio = services.rstudio_server
    if rstudio is None:
        return {"rstudio_server_wanted": False}
    from sandbox.spec.rstudio_version import CHECK_CONFIG_FIRST

    config = rstudio.config
    return {
        "rstudio_server_wanted": True,
        "rstudio_server_version": rstudio.version,
        "rstudio_server_port": rstudio.port,
        "rstudio_server_address": _EVERYWHERE if rstudio.path is None else _HERE,
        "rstudio_server_rserver": _lines(rserver_settings(rstudio)),
        "rstudio_server_rsession": _lines(config.rsession.items()),
        "rstudio_server_logging": _lines(config.logging.items()),
        "rstudio_server_repos": _lines(config.repos.items()),
        "rstudio_server_database": _lines(config.database.items()),
        "rstudio_server_prefs": json.dumps(dict(config.prefs), indent=2) if config.prefs else "",
        "rstudio_server_has_check_config": rstudio.parsed_version >= CHECK_CONFIG_FIRST,
    }


def rserver_settings(rstudio: "RstudioServer") -> "Iterator[tuple[str, Setting]]":
    """Yield keys and values for rserver.conf, but for port, address and R; one line each."""
    if rstudio.path is not None:
        yield "www-root-path", rstudio.path
    for key, value in rstudio.config.rserver.items():
        for one in value if isinstance(value, tuple) else (value,):
            yield key, one


def _lines(settings: "Iterable[tuple[str, Setting]]") -> str:
    from sandbox.spec.rstudio import written

    return "".join(f"{key}={written(value)}\n" for key, value in settings)


def _r_variables(services: "Services", r: "R | None", base: "Base") -> Variables:
    rstudio = services.rstudio_server
    if rstudio is None:
        return {}
    from sandbox.spec.rstudio_r import session_r

    found = session_r(r, base, rstudio.r)
    return {"rstudio_server_which_r": found.program if found is not None else "/usr/bin/R"}


SERVER: Final = Server(
    name=_NAME,
    is_fetched=True,
    title=TITLE,
    unit="rstudio-server",
    processes=frozenset({"rserver"}),
    # What its package needs; that itself is installed from a file. The makers' own list is read
    # from the package, which may ask for more
    packages=("libedit2", "lsb-release", "psmisc", "sudo"),
    log_file="/var/log/rstudio/rstudio-server/rserver.log",
    # A session listens for its own terminals and help pages
    workers=frozenset({"rsession"}),
    accounts=frozenset({"rstudio-server"}),
    endpoints=_endpoints,
    variables=_variables,
    r_variables=_r_variables,
    loopback_ports=_loopback_ports,
)
