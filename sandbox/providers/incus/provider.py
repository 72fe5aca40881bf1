"""Incus, as the rest of the program knows it."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sandbox.events import Listener
from sandbox.providers.engine import Engine, MachineStatus
from sandbox.providers.findings import HostReport
from sandbox.providers.incus.place import IncusPlace
from sandbox.providers.place import Place
from sandbox.providers.provider import Confirm, Provider

if TYPE_CHECKING:
    from sandbox.host.setup import Keep, SetupOutcome, SetupWishes
    from sandbox.plan import HostLimits
    from sandbox.providers.base_images import PreparedBase, StoredBase, WantedBase
    from sandbox.providers.members import Member
    from sandbox.providers.seats import Seats


class IncusProvider:
    """Incus, on this machine or on a remote."""

    name = "incus"
    title = "Incus"
    linux_only = True
    setup_wishes = frozenset({"pool_gb", "subnet"})

    def make_engine(self, place: Place) -> Engine:
        """Make the engine that drives Incus."""
        from sandbox.providers.incus.engine import IncusEngine

        return IncusEngine(IncusPlace.at(place))

    def statuses(self, place: Place) -> dict[str, MachineStatus]:
        """List the machines as the engine does, in one query."""
        return self.make_engine(place).status()

    def made(self, folder: Path) -> bool:
        """Return False: Incus itself keeps all it knows of a machine, and no file in the folder."""
        del folder
        return False

    def report(self, place: Place) -> HostReport:
        """Report the findings about Incus and our objects in it."""
        from sandbox.providers.incus.doctor import incus_report

        return incus_report(IncusPlace.at(place))

    def limits(self, place: Place) -> "HostLimits | None":
        """Return this host's processors and memory, and the free space in our pool."""
        from sandbox.providers.incus.limits import incus_limits

        return incus_limits(IncusPlace.at(place))

    def members(self, place: Place) -> "tuple[Member, ...]":
        """List the servers that carry machines; see `members.HasMembers`."""
        from sandbox.providers.incus.client import IncusClient
        from sandbox.providers.incus.members import incus_members

        return incus_members(IncusClient(IncusPlace.at(place)))

    def seats(self, place: Place) -> "Seats":
        """Return what makes the machines of workshops; see `seats.HasSeats`."""
        from sandbox.providers.incus.seats import IncusSeats

        return IncusSeats(IncusPlace.at(place))

    def prepare_base(
        self, wanted: "WantedBase", place: Place, listener: Listener
    ) -> "PreparedBase":
        """Find, build or fetch an image.

        Raises:
            SandboxError: as in `ensure_base`; or the very image that is wanted is not here.
        """
        from sandbox.images.package_index import available_packages
        from sandbox.providers.base_images import PreparedBase, not_here
        from sandbox.providers.incus.base_image import ensure_base
        from sandbox.providers.incus.base_transfer import exact_base
        from sandbox.providers.incus.client import IncusClient

        client = IncusClient(IncusPlace.at(place))
        if wanted.identity:
            exact = exact_base(client, wanted.base.name, wanted.identity)
            if exact is None:
                raise not_here(wanted)
            return PreparedBase(exact.alias, exact.fingerprint, None)
        made = ensure_base(
            wanted.base,
            client=client,
            source=wanted.source,
            mirror=wanted.mirror,
            listener=listener,
            archives=wanted.archives,
            routes=wanted.routes,
            ahead=wanted.ahead,
        )
        return PreparedBase(made.alias, made.fingerprint, available_packages(made))

    def stored_bases(self, place: Place) -> "tuple[StoredBase, ...]":
        """List the images of our project that are base images.

        Raises:
            HostError, ProviderError: Incus cannot be asked.
        """
        from sandbox.providers.base_images import StoredBase
        from sandbox.providers.incus.client import IncusClient
        from sandbox.providers.incus.stored_images import base_images, remove_base

        client = IncusClient(IncusPlace.at(place))
        return tuple(
            StoredBase(
                image=one.name,
                base=one.base,
                key=one.key,
                made_at=one.made_at,
                used_at=one.used_at,
                size_bytes=one.size_bytes,
                outdated=one.outdated,
                title=one.name,
                remove=partial(remove_base, client, one),
            )
            for one in base_images(client)
        )

    def needed_builds(self, place: Place) -> frozenset[str]:
        """Return the keys of base images in our project.

        Raises:
            HostError, ProviderError: Incus cannot be asked.
        """
        from sandbox.providers.incus.client import IncusClient
        from sandbox.providers.incus.stored_images import built_keys

        return built_keys(IncusClient(IncusPlace.at(place)))

    def set_up_host(
        self, place: Place, wishes: "SetupWishes", *, confirm: Confirm, listener: Listener
    ) -> "SetupOutcome":
        """Install and start Incus, and make our project, network and pool in it.

        Raises:
            HostError: the host cannot be made ready; the error says why and what to do.
            ProviderError: Incus refused something.
        """
        from sandbox.providers.incus.host_setup import host_setup

        where = IncusPlace.at(place)
        return host_setup(where, confirm=confirm, listener=listener, choices=wishes)

    def take_back_host(
        self, place: Place, keep: "Keep", *, confirm: Confirm, sure: bool, listener: Listener
    ) -> "SetupOutcome":
        """Remove our objects in Incus, and the installed packages, as far as `keep` says.

        Raises:
            UsageError: sandboxes still exist, and the user is not `sure`.
            HostError: something cannot be taken back.
            ProviderError: Incus refused something.
        """
        from sandbox.providers.incus.host_teardown import host_teardown

        where = IncusPlace.at(place)
        return host_teardown(where, confirm=confirm, sure=sure, listener=listener, keep=keep)

    def advice_after_setup(self) -> tuple[str, ...]:
        """List notes on membership of Incus's group, and how to use it at once."""
        from sandbox.host.groups import has_group_now, is_member, login_advice
        from sandbox.host.privilege import invoking_user
        from sandbox.providers.incus.host_facts import INCUS_GROUP, MEANING

        # Said every time: the person who sets up a host also adds others to the group later
        note = f"note: {MEANING}; give it only to people who may have sudo"
        user = invoking_user()
        member = user is not None and is_member(user, INCUS_GROUP)
        advice = login_advice(user, INCUS_GROUP, member=member, now=has_group_now(INCUS_GROUP))
        return (note, *advice)


PROVIDER: Final[Provider] = IncusProvider()
