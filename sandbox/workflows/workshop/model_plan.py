"""The plan of every seat, and its baked image: made and checked once, on a machine of its own."""

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from sandbox.baking import bake_keys, find_whole
from sandbox.errors import BoxError, HostError, ProvisionError, SandboxError, UsageError
from sandbox.missing import missing_r_packages
from sandbox.placement import Placement, place
from sandbox.providers.abilities import Baking
from sandbox.providers.base_images import PreparedBase
from sandbox.providers.seats import HasSeats
from sandbox.resolving import resolve
from sandbox.secret_values import needed_secrets
from sandbox.spec.load_workshop import LoadedWorkshop
from sandbox.spec.models import User
from sandbox.state import Instance
from sandbox.workflows.app_needs import refuse_unmet_needs
from sandbox.workflows.base import prepare_base
from sandbox.workflows.bundled import manifest_of
from sandbox.workflows.context import Context
from sandbox.workflows.files_to_fetch import with_files
from sandbox.workflows.power import destroy
from sandbox.workflows.up import up
from sandbox.workflows.workshop.running import seats_at
from sandbox.workshop.names import model_name

if TYPE_CHECKING:
    from sandbox.spec.choices import ProviderName

_LEAST_DISK_GB = 4
"""A sandbox with less cannot be made; a seat, which is a clone, may have less."""


def seat_placement(loaded: LoadedWorkshop, name: str, context: Context) -> Placement:
    """Resolve the box of a workshop into the plan of every seat, with the seat's account and size.

    Raises:
        BoxError: the box names secrets, which all seats would share; or it cannot be resolved.
        UsageError: no provider here carries seats, or not the one that the box names.
    """
    provider = _carrier(loaded, context)
    its_own = manifest_of(loaded.box.path) is not None
    plan = resolve(loaded.box, None if its_own else context.user_config().mirrors)
    user, limits = loaded.workshop.user, loaded.workshop.limits
    if all(one.name != user for one in plan.users):
        plan = plan.model_copy(update={"users": (*plan.users, User(name=user))})
    placement = place(
        plan,
        provider=provider,
        name=model_name(name),
        cpus=limits.cpus,
        memory_mb=limits.memory_mb,
        disk_gb=max(_LEAST_DISK_GB, limits.disk_gb) if limits.disk_gb else None,
    )
    _refuse_secrets(loaded, placement)
    return placement


def require_baking(placement: Placement, context: Context) -> Baking:
    """Return the engine that bakes the image of the seats.

    Raises:
        UsageError: the provider cannot bake.
    """
    engine = context.engine(placement.provider)
    if not isinstance(engine, Baking):
        title = context.providers[placement.provider].title
        raise UsageError(
            f"{title} keeps no baked images, and every seat is a clone of one",
            hint="sandbox doctor",
        )
    return engine


def baked_image(placement: Placement, remote: str, context: Context) -> str:
    """Return the key of the baked image of the seats; make it when there is none.

    For that, the model machine is made, provisioned and checked as `sandbox up` does, and removed.

    Raises:
        SandboxError: as in `up`; a model machine that fails its checks stays, to be looked at.
    """
    context = replace(context, place=replace(context.place, remote=remote))
    engine = require_baking(placement, context)
    wanted, base = _as_made(placement, context)
    keys = bake_keys(wanted, base.identity, engine)
    if find_whole(engine, keys) is None:
        refuse_unmet_needs(placement, context)
        _make_model(placement, context)
        if find_whole(engine, keys) is None:
            raise HostError(
                f"no baked image was kept of {placement.plan.box_name}",
                details="each seat is a clone of one; the notes above say why",
                hint=f"sandbox up {placement.plan.box_path}, then the same command again",
            )
    if Instance(placement.name).exists():
        destroy(placement.name, context=context)
    return keys.whole


def has_image(key: str, remote: str, context: Context) -> bool:
    """Tell whether a member has the complete baked image of a key."""
    return bool(key) and bool(seats_at(remote, context).images(key))


def _as_made(placement: Placement, context: Context) -> tuple[Placement, PreparedBase]:
    """The plan as `up` bakes it: with what it fetches, and without what its base does not have."""
    placement = with_files(placement, context)
    base = prepare_base(placement, context)
    if base.packages is not None:
        missing = missing_r_packages(placement.plan, base.packages)
        placement = placement.without_packages(missing) if missing else placement
    return placement, base


def _make_model(placement: Placement, context: Context) -> None:
    # What an earlier run has left would be made whole, but not baked
    if Instance(placement.name).exists():
        destroy(placement.name, context=context)
    report = up(placement, context=context).report
    if report is None or not report.ok:
        problems = report.problems if report is not None else ()
        raise ProvisionError(
            f"the box {placement.plan.box_name} fails its checks: no seat is made from it",
            details="\n".join(one.title for one in problems),
            hint=f"sandbox check {placement.name} says more; mend the box, then the same again",
        )


def _carrier(loaded: LoadedWorkshop, context: Context) -> "ProviderName":
    wanted = context.provider or loaded.box.provider
    for name, provider in context.providers.items():
        if isinstance(provider, HasSeats) and wanted in {None, name}:
            # The registry has no other names
            return cast("ProviderName", name)
    if wanted is None:
        raise UsageError("no provider here carries seats", hint="sandbox doctor")
    raise UsageError(
        f"{wanted} carries no seats, and the box {loaded.box.name} asks for it",
        hint=f"leave out `provider:` in {loaded.box.path}",
    )


def _refuse_secrets(loaded: LoadedWorkshop, placement: Placement) -> None:
    needed = needed_secrets(placement.plan)
    if not needed:
        return
    lines = [
        f"{loaded.box.place_of(*place.split('.', 2))}: {one.name}"
        for one in needed
        for place in one.places
    ]
    raise BoxError(
        f"the box {loaded.box.name} has secrets, and every learner could read them",
        details="\n".join(lines),
        hint="take them out of the box; each seat gets a secret of its own",
    )


def error_words(error: SandboxError) -> str:
    """Write an error in one line."""
    first = error.details.splitlines()[:1]
    return ": ".join((error.message, *first))
