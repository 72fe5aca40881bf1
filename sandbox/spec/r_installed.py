"""The Rs of a machine: what a box asks for, with the base's version, their places and programs."""

from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.spec.base_models import Base
from sandbox.spec.r import MOVING, InstalledR, R, RPackages, RSource
from sandbox.spec.services import Services

OPT_R = "/opt/R"
"""Where Posit's builds are, each in a folder of its version."""


@dataclass(frozen=True)
class MachineR:
    """One R on the machine."""

    version: str
    """The full version; of Posit's daily builds their name, devel or next."""
    source: RSource
    is_default: bool
    packages: RPackages
    is_asked_for: bool = True
    """False: the box does not ask for it, and a package of the base brings it."""

    @property
    def is_moving(self) -> bool:
        """Tell whether this is another R every day."""
        return self.version in MOVING

    @property
    def prefix(self) -> str:
        """The folder with its `bin`."""
        return f"{OPT_R}/{self.version}" if self.source == "posit" else "/usr"

    @property
    def home(self) -> str:
        """What this R answers to `R RHOME`."""
        return f"{self.prefix}/lib/R"

    @property
    def program(self) -> str:
        """The program R, by its full path."""
        return f"{self.prefix}/bin/R"

    @property
    def rscript(self) -> str:
        """The program that runs a script in this R, by its full path."""
        return f"{self.prefix}/bin/Rscript"


def machine_rs(r: R | None, base: Base, services: Services) -> tuple[MachineR, ...]:
    """List every R that the machine will have; the default first, then as in the box."""
    if r is None:
        return ()
    found = [_machine_r(one, base) for one in r.installed]
    if not any(one.source == "debian" for one in found) and _brings_r(base, services):
        found.append(
            MachineR(base.r_version, "debian", False, RPackages(), is_asked_for=False),  # noqa: FBT003
        )
    return tuple(sorted(found, key=lambda one: not one.is_default))


def default_r(rs: Sequence[MachineR]) -> MachineR | None:
    """Return the R that `R` means on the machine."""
    return next((one for one in rs if one.is_default), None)


def _machine_r(one: InstalledR, base: Base) -> MachineR:
    version = one.version or base.r_version
    if one.source == "debian":
        # A box may name only its beginning
        version = base.r_version
    return MachineR(version, one.source, one.default, one.packages or RPackages())


def _brings_r(base: Base, services: Services) -> bool:
    """Whether a package of the distribution needs its R: Debian's shiny-server, by r-cran-shiny."""
    return services.shiny_server is not None and "shiny_server" in base.offers
