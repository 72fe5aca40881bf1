"""APIs of the R package plumber: each under a unit of its own, in the default R of the box.

Debian's R has Debian's plumber; another R needs one in its own library.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from sandbox.endpoints import Endpoint, Proof
from sandbox.servers.server import Server, Variables
from sandbox.spec.plumber import unit_of

if TYPE_CHECKING:
    from sandbox.spec.base_models import Base
    from sandbox.spec.models import System
    from sandbox.spec.r import R
    from sandbox.spec.services import Services

_NAME: Final = "plumber"
_LOOPBACK: Final = "127.0.0.1"


def _endpoints(services: "Services", apps: Sequence[str]) -> tuple[Endpoint, ...]:
    del apps
    found = services.plumber.all if services.plumber is not None else ()
    return tuple(
        Endpoint(
            name=api.name,
            service=_NAME,
            port=api.port,
            path=api.ready_path,
            proof=Proof.PAGE,
            is_local=api.host == _LOOPBACK,
            kind="API",
        )
        for api in found
    )


def _variables(services: "Services", system: "System") -> Variables:
    return {
        "plumber_wanted": services.plumber is not None,
        "plumber_limit_nofile": system.limits.nofile,
    }


def _r_variables(services: "Services", r: "R | None", base: "Base") -> Variables:
    from sandbox.spec.r_installed import default_r, machine_rs

    found = default_r(machine_rs(r, base, services))
    if services.plumber is None or found is None:
        return {}
    is_debians = found.source == "debian"
    return {"plumber_rscript": found.rscript, "plumber_is_debians": is_debians}


def _units(services: "Services") -> tuple[str, ...]:
    return tuple(unit_of(api.name) for api in services.plumber.all) if services.plumber else ()


SERVER: Final = Server(
    name=_NAME,
    title="plumber",
    unit=_NAME,
    units=_units,
    processes=frozenset({"R"}),
    packages=(),
    debian_r_packages=("r-cran-plumber",),
    endpoints=_endpoints,
    variables=_variables,
    r_variables=_r_variables,
)
