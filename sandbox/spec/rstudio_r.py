"""Which R versions a box has, as RStudio Server can run them."""

from dataclasses import dataclass

from sandbox.spec.base_models import Base
from sandbox.spec.r import R


@dataclass(frozen=True)
class RstudioR:
    """One R of a machine."""

    version: str
    """As the box or the base says it: 4.2 or 4.2.2."""
    program: str
    """The program on the machine, for `rsession-which-r`."""
    is_default: bool

    @property
    def minor(self) -> tuple[int, int]:
        """Major and minor version."""
        major, minor = self.version.split(".")[:2]
        return int(major), int(minor)

    def answers_to(self, wanted: str) -> bool:
        """Tell whether `wanted`, 4.2 or 4.2.2, means this one."""
        return self.version == wanted or self.version.startswith(f"{wanted}.")


def rs_of(r: R, base: Base) -> tuple[RstudioR, ...]:
    """List the R versions that a box gives its machine."""
    del r
    return (RstudioR(base.r_version, "/usr/bin/R", is_default=True),)


def session_r(r: R | None, base: Base, wanted: str | None) -> RstudioR | None:
    """The R of RStudio's sessions; None when the box has no such R."""
    if r is None:
        return None
    found = rs_of(r, base)
    if wanted is None:
        return next((one for one in found if one.is_default), None)
    return next((one for one in found if one.answers_to(wanted)), None)
