"""Say before the day what a workshop takes, and refuse what cannot fit. Starts nothing."""

from dataclasses import replace
from typing import Final

from sandbox.errors import UsageError
from sandbox.providers.engine import Engine
from sandbox.providers.members import HasMembers
from sandbox.spec.load_workshop import LoadedWorkshop
from sandbox.workflows.context import Context
from sandbox.workshop.arithmetic import SEAT_DISK_MB, Estimate, Wanted, estimate

PROVIDER: Final = "incus"
_IMAGE_MB: Final = 2500
"""A baked image with RStudio Server and packages, before it is known."""


def plan_workshop(workshop: LoadedWorkshop, context: Context) -> Estimate:
    """Ask the servers what they have, and count.

    Raises:
        HostError, ProviderError: Incus cannot be asked.
    """
    engine = workshop_engine(workshop, context)
    if not isinstance(engine, HasMembers):
        raise UsageError(f"{engine.provider} has no seats", hint="a workshop runs on Incus")
    return estimate(wanted_of(workshop), engine.members())


def workshop_engine(workshop: LoadedWorkshop, context: Context) -> Engine:
    """Make the engine for the workshop's servers: this host's Incus, or the named remote."""
    remotes = workshop.workshop.remotes
    place = replace(context.place, remote=remotes[0]) if remotes else context.place
    return context.providers[PROVIDER].make_engine(place)


def wanted_of(workshop: LoadedWorkshop) -> Wanted:
    """Return what the workshop asks for."""
    said = workshop.workshop
    limit_mb = said.limits.memory_mb or workshop.box.box.machine.memory_mb
    return Wanted(
        people=workshop.seats,
        spare=workshop.spare,
        # More than its limit no seat gets
        work_mb=min(said.work_mb, limit_mb),
        disk_mb=SEAT_DISK_MB + said.copies.max_mb,
        image_mb=_IMAGE_MB,
    )
