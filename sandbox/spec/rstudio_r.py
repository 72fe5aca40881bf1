"""Which of a box's Rs the sessions of RStudio Server run."""

from sandbox.spec.base_models import Base
from sandbox.spec.r import R
from sandbox.spec.r_installed import MachineR, default_r, machine_rs
from sandbox.spec.services import Services


def asked_rs(r: R | None, base: Base) -> tuple[MachineR, ...]:
    """List the Rs that a box asks for; the default first."""
    return machine_rs(r, base, Services())


def session_r(r: R | None, base: Base, wanted: str | None) -> MachineR | None:
    """The R of RStudio's sessions: the default, or the one that is `wanted`, 4.4 or 4.4.1.

    None when the box has no such R.
    """
    found = asked_rs(r, base)
    if wanted is None:
        return default_r(found)
    return next((one for one in found if _is_it(one, wanted)), None)


def minor_of(r: MachineR) -> tuple[int, int] | None:
    """Major and minor version; None for one that is another every day."""
    if r.is_moving:
        return None
    major, minor = r.version.split(".")[:2]
    return int(major), int(minor)


def _is_it(one: MachineR, wanted: str) -> bool:
    return one.version == wanted or one.version.startswith(f"{wanted}.")
