"""Say before the day what a workshop takes, and refuse what cannot fit. Starts nothing."""

from dataclasses import replace
from typing import Final

from sandbox.errors import UsageError
from sandbox.providers.members import HasMembers
from sandbox.spec.load_workshop import LoadedWorkshop
from sandbox.workflows.context import Context
from sandbox.workshop.arithmetic import SEAT_DISK_MB, Estimate, Wanted, estimate

_IMAGE_MB: Final = 2500
"""A baked image with RStudio Server and packages, before it is known."""


def plan_workshop(workshop: LoadedWorkshop, context: Context) -> Estimate:
    """Ask the servers what they have, and count.

    Raises:
        UsageError: no provider here has machines on servers of its own.
        HostError, ProviderError: it cannot be asked.
    """
    remotes = workshop.workshop.remotes
    place = context.place
    if remotes:
        place = replace(place, remote=remotes[0], other_remotes=remotes[1:])
    for provider in context.providers.values():
        if isinstance(provider, HasMembers):
            return estimate(wanted_of(workshop), provider.members(place))
    raise UsageError("no provider here carries seats", hint="sandbox doctor")


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
