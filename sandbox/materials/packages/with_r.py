"""Packages that come with R itself, and what an R of a machine is called and where it lies."""

from dataclasses import dataclass
from typing import Final, Literal

from sandbox.materials.packages.versions import Version
from sandbox.plan import Plan
from sandbox.spec.r import RPackages
from sandbox.spec.r_packages import R_ITSELF

RECOMMENDED: Final = frozenset(
    {"KernSmooth", "MASS", "Matrix", "boot", "class", "cluster", "codetools", "foreign"}
    | {"lattice", "mgcv", "nlme", "nnet", "rpart", "spatial", "survival"}
)
"""Posit's builds have these; Debian's r-base-core does not (they are r-cran-* packages there)."""

Architecture = Literal["x86_64", "aarch64"]


@dataclass(frozen=True)
class PackagesOfR:
    """One R of a machine, and the packages that the box wants for it."""

    version: str
    """Complete: 4.2.2."""
    is_debians: bool
    packages: RPackages
    key: str
    """Where the box says them: `r.packages`."""

    @property
    def minor(self) -> str:
        """The first two numbers: 4.2."""
        return Version(self.version).minor

    @property
    def home(self) -> str:
        """R's own folder on the machine."""
        return "/usr/lib/R" if self.is_debians else f"/opt/R/{self.version}/lib/R"

    @property
    def library(self) -> str:
        """The folder of packages that this R has for everybody, and no other R reads."""
        if self.is_debians:
            return "/usr/local/lib/R/site-library"
        return f"{self.home}/site-library"

    @property
    def has(self) -> frozenset[str]:
        """The packages that come with this R."""
        return R_ITSELF if self.is_debians else R_ITSELF | RECOMMENDED


def rs_of(plan: Plan) -> tuple[PackagesOfR, ...]:
    """List the Rs of a plan whose packages this host fetches."""
    r = plan.r
    if r is None or r.packages.source == "debian":
        return ()
    # Debian's own R is the base's; a box may say only its minor
    return (PackagesOfR(plan.base.r_version, True, r.packages, "r.packages"),)  # noqa: FBT003
