"""The questions that the rest of the program asks of a server."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.endpoints import Endpoint
from sandbox.quoting import Json

if TYPE_CHECKING:
    # A listing needs no models
    from sandbox.spec.base_models import Base
    from sandbox.spec.models import System
    from sandbox.spec.r import R
    from sandbox.spec.services import Services

Variables = Mapping[str, Json]
"""Variables of Ansible, by name."""


def _no_ports(services: "Services") -> tuple[int, ...]:
    del services
    return ()


def _no_variables(services: "Services", r: "R | None", base: "Base") -> Variables:
    del services, r, base
    return {}


@dataclass(frozen=True, kw_only=True)
class Server:
    """One kind of server; its settings in a box are a model of `sandbox.spec.services`."""

    name: str
    """Its key in `services:` of a box, and its role in `playbooks/`."""
    title: str
    """The name that people use."""
    unit: str
    """Its systemd unit, without `.service`; checks also call the listening process by this name."""
    units: "Callable[[Services], tuple[str, ...]] | None" = None
    """Its units, where it may have several."""
    processes: frozenset[str]
    """The names of the processes that may listen on its port; a name has 15 characters."""
    packages: tuple[str, ...]
    """The Debian packages that it comes in; of one whose package is fetched elsewhere, those that
    this needs."""
    debian_r_packages: tuple[str, ...] = ()
    """Debian packages of R that it needs, where Debian's own R is the default: no other R finds
    them."""
    log_file: str = ""
    """What it writes of itself, on the machine; empty where that is in the journal alone."""
    is_fetched: bool = False
    """Whether this host fetches it, as the distribution has no package of it."""
    serves_apps: bool = False
    """Whether it serves the box's `apps:`."""
    workers: frozenset[str] = frozenset()
    """The names of processes of its own that listen on the loopback address, on any port."""
    accounts: frozenset[str] = frozenset()
    """Accounts that its package makes, which have a shell and no password."""
    endpoints: "Callable[[Services, Sequence[str]], tuple[Endpoint, ...]]"
    """Where it answers, given the box's settings and the names of its apps."""
    variables: "Callable[[Services, System], Variables]"
    """The variables for its role, also when the box does not ask for it."""
    r_variables: "Callable[[Services, R | None, Base], Variables]" = _no_variables
    """More of them, which tell of the machine's R."""
    loopback_ports: "Callable[[Services], tuple[int, ...]]" = _no_ports
    """Ports that it has on the loopback address only, for another server in front of it."""

    def units_in(self, services: "Services") -> tuple[str, ...]:
        """List its units on a machine that has it."""
        return self.units(services) if self.units is not None else (self.unit,)

    def is_in(self, services: "Services") -> bool:
        """Tell whether the box asks for the server."""
        return getattr(services, self.name) is not None
