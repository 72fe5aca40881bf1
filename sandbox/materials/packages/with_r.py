"""Packages that come with R itself, and what an R of a machine is called and where it lies."""

from dataclasses import dataclass, replace
from typing import Final, Literal, Self

from sandbox.architecture import debian_architecture
from sandbox.errors import HostError
from sandbox.materials.packages.versions import Version
from sandbox.plan import Plan, RInput
from sandbox.spec.r import RPackages
from sandbox.spec.r_installed import MachineR
from sandbox.spec.r_packages import R_ITSELF

RECOMMENDED: Final = frozenset(
    {"KernSmooth", "MASS", "Matrix", "boot", "class", "cluster", "codetools", "foreign"}
    | {"lattice", "mgcv", "nlme", "nnet", "rpart", "spatial", "survival"}
)
"""Posit's builds have these; Debian's r-base-core does not (they are r-cran-* packages there)."""

Architecture = Literal["x86_64", "aarch64"]
_ARCHITECTURES: Final[dict[str, Architecture]] = {"amd64": "x86_64", "arm64": "aarch64"}
"""R's words, by Debian's."""


def own_architecture() -> Architecture:
    """Return R's word for this host's architecture.

    Raises:
        HostError: R packages cannot be fetched for it.
    """
    name = debian_architecture()
    if name not in _ARCHITECTURES:
        raise HostError(f"R packages cannot be fetched for the architecture {name}")
    return _ARCHITECTURES[name]


@dataclass(frozen=True)
class PackagesOfR:
    """One R of a machine, and the packages that the box wants for it."""

    machine: MachineR
    source: RInput | None = None
    """The lock file or folder that they come from, for those that come from one."""

    @property
    def version(self) -> str:
        """Complete: 4.2.2."""
        return self.machine.version

    @property
    def packages(self) -> RPackages:
        """What the box says."""
        return self.machine.packages

    @property
    def is_debians(self) -> bool:
        """Whether it is the distribution's own R."""
        return self.machine.source == "debian"

    @property
    def minor(self) -> str:
        """The first two numbers: 4.2."""
        return Version(self.version).minor

    @property
    def library(self) -> str:
        """The folder of packages that this R has for everybody, and no other R reads."""
        if self.is_debians:
            return "/usr/local/lib/R/site-library"
        return f"{self.machine.home}/site-library"

    @property
    def has(self) -> frozenset[str]:
        """The packages that come with this R."""
        return R_ITSELF if self.is_debians else R_ITSELF | RECOMMENDED

    def wanting(self, package: str) -> Self:
        """Return it with this package alone, and what that needs.

        A folder's packages stay together: the folder says what they are.
        """
        if self.packages.source != "repository":
            return self
        only = {"names": (package,), "if_missing": "fail"}
        packages = self.packages.model_copy(update=only)
        return replace(self, machine=replace(self.machine, packages=packages))


def rs_of(plan: Plan) -> tuple[PackagesOfR, ...]:
    """List the Rs of a plan whose packages this host fetches."""
    inputs = {one.r: one for one in plan.r_inputs}
    return tuple(
        PackagesOfR(one, inputs.get(one.version))
        for one in plan.rs
        if one.packages.source != "debian" and not one.is_moving
    )
