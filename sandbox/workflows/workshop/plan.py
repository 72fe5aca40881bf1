"""Say before the day what a workshop takes, and refuse what cannot fit. Starts nothing."""

from dataclasses import replace
from typing import Final

from sandbox.errors import UsageError
from sandbox.providers.members import HasMembers, Member
from sandbox.providers.seats import HasSeats, Seats
from sandbox.spec.load_workshop import LoadedWorkshop
from sandbox.spec.workshop import Workshop
from sandbox.workflows.context import Context
from sandbox.workflows.workshop.replicas import obstacle
from sandbox.workshop.arithmetic import IDLE_MB, SEAT_DISK_MB, Estimate, Wanted, estimate

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
            found = estimate(wanted_of(workshop), provider.members(place))
            if isinstance(provider, HasSeats) and (
                why := obstacle(workshop, provider.seats(place))
            ):
                return replace(found, refusals=(*found.refusals, why))
            return found
    raise UsageError("no provider here carries seats", hint="sandbox doctor")


def wanted_of(workshop: LoadedWorkshop) -> Wanted:
    """Return what the workshop asks for."""
    return wanted_for(
        workshop.workshop,
        workshop.box.box.machine.memory_mb,
        people=workshop.seats,
        spare=workshop.spare,
    )


def wanted_for(said: Workshop, machine_mb: int, *, people: int, spare: int) -> Wanted:
    """Return what so many seats ask for; `machine_mb` is the memory of the box's machine."""
    limit_mb = said.limits.memory_mb or machine_mb
    return Wanted(
        people=people,
        spare=spare,
        # More than its limit no seat gets
        work_mb=min(said.work_mb, limit_mb),
        disk_mb=SEAT_DISK_MB + said.copies.max_mb,
        image_mb=_IMAGE_MB,
        replica_every_s=said.copies.seats_every_s if said.copies.seats else 0,
    )


def room_for(wanted: Wanted, name: str, seats: Seats) -> Estimate:
    """Count whether all seats fit; those that run already have their part of what is free.

    Raises:
        HostError, ProviderError: the provider cannot be asked.
    """
    members = seats.members()
    there = [one.member for one in seats.machines(name)]
    each_mb = wanted.disk_mb + wanted.replica_mb

    def without_ours(one: Member) -> Member:
        ours = there.count(one.name)
        # A member of a cluster says its whole memory, whatever runs there
        idle_mb = ours * IDLE_MB if len(members) == 1 else 0
        return replace(
            one,
            memory_mb=one.memory_mb + idle_mb,
            disk_mb=one.disk_mb + (wanted.image_mb + ours * each_mb if ours else 0),
            addresses=one.addresses + ours,
        )

    return estimate(wanted, [without_ours(one) for one in members])
