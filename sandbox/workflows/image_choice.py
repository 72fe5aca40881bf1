"""Choose what a new machine is made from (baked image, layer, base image), and bake the machine."""

from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sandbox.baking import (
    BakeKeys,
    CacheUse,
    bake_keys,
    baking_lock,
    find_layer,
    find_whole,
    forget_use,
    labels_of,
    note_use,
)
from sandbox.errors import ProviderError, SandboxError
from sandbox.events import step
from sandbox.guest.guest import Guest
from sandbox.images.sources import ArchivesAnswer
from sandbox.placement import Placement
from sandbox.providers.abilities import BakedImage, Baking
from sandbox.providers.base_images import PreparedBase
from sandbox.providers.engine import MachineSpec
from sandbox.secret_values import needed_secrets, without_secrets
from sandbox.workflows.snapshot import PROVISIONED

if TYPE_CHECKING:
    from sandbox.images.build import Ahead


@dataclass(frozen=True)
class Oven:
    """How `up` uses baked images."""

    cache: CacheUse
    will_check: bool
    """Only a machine that passes its checks is baked."""
    lock: ExitStack
    """Closed by the caller when the machine is done: until then nobody else bakes the same key."""
    archives: ArchivesAnswer | None = None
    """The answer of this host's apt, which is a part of the base image's name, if asked before."""
    ahead: "Ahead | None" = None
    """Who wants to know early what the packages of the plan need."""


@dataclass(frozen=True)
class Origin:
    """The image that a machine is made from."""

    image: str
    whole: bool = False
    """Whether the image needs no provisioning."""
    keys: BakeKeys | None = None
    """The keys for baking the machine when it is done; None: do not bake it."""
    title: str = "create"
    note: str = ""

    @classmethod
    def baked(
        cls, image: BakedImage, *, whole: bool = False, keys: BakeKeys | None = None
    ) -> "Origin":
        """Return the origin for a baked image, with the image's age in its note."""
        what = "" if whole else f"as a layer on {dict(image.labels).get('box', 'another box')}, "
        title = "clone" if whole else "create"
        return cls(image.image, whole, keys, title, f"{what}baked {_ago(image.made_at)} ago")


def choose_origin(guest: Guest, base: PreparedBase, oven: Oven) -> Origin:
    """Find the best: the whole machine, one that only lacks packages, or the bare base.

    Waits when another command is baking the same key. A machine with secrets is never kept as an
    image, because the image would hold them; it may be made from an image without them.
    """
    placement, engine = guest.placement, guest.engine
    if oven.cache is CacheUse.OFF or not isinstance(engine, Baking):
        return Origin(base.image)
    if needed := needed_secrets(placement.plan):
        names = ", ".join(one.name for one in needed)
        guest.tell(f"it is not kept as a baked image, which would hold {names}")
        return _layer_below_secrets(placement, base, engine, oven)
    keys = bake_keys(placement, base.identity, engine)
    may_use = oven.cache is CacheUse.USE
    if may_use and (image := find_whole(engine, keys)) is not None:
        return Origin.baked(image, whole=True)
    if oven.will_check:
        lock = baking_lock(placement.provider, keys.whole, guest.name, guest.listener)
        oven.lock.enter_context(lock)
        # Somebody may have baked it while we waited
        if may_use and (image := find_whole(engine, keys)) is not None:
            oven.lock.close()
            return Origin.baked(image, whole=True)
    to_bake = keys if oven.will_check else None
    if may_use and (image := find_layer(engine, keys, placement.plan)) is not None:
        return Origin.baked(image, keys=to_bake)
    return Origin(base.image, keys=to_bake)


def _layer_below_secrets(
    placement: Placement, base: PreparedBase, engine: Baking, oven: Oven
) -> Origin:
    """An image without the secrets and perhaps some packages: everything is provisioned then."""
    plan = placement.plan
    keys = bake_keys(placement.with_plan(without_secrets(plan)), base.identity, engine)
    if oven.cache is CacheUse.USE and (image := find_layer(engine, keys, plan)) is not None:
        return Origin.baked(image)
    return Origin(base.image)


def create_from(origin: Origin, base: PreparedBase, spec: MachineSpec, guest: Guest) -> Origin:
    """Make the machine; from the base image when the baked one vanishes at the last moment.

    Returns:
        The origin that was used in the end.

    Raises:
        SandboxError: as in `Engine.create`.
    """
    engine = guest.engine
    if origin.image == base.image:
        engine.create(spec, guest.listener)
        return origin
    try:
        engine.create(replace(spec, image=origin.image), guest.listener)
    except ProviderError:
        if isinstance(engine, Baking) and _is_there(engine, origin.image):
            raise
        guest.tell("its baked image was removed meanwhile: making it from nothing")
        guest.engine.create(spec, guest.listener)
        return Origin(base.image, keys=origin.keys)
    note_use(origin.image)
    return origin


def _is_there(engine: Baking, image: str) -> bool:
    return any(one.image == image and one.complete for one in engine.baked_images())


def keep_baked(guest: Guest, keys: BakeKeys) -> None:
    """Bake a machine that was just made and proven, in its state before the checks.

    A failure to keep it is only a notice: `up` does not fail.
    """
    engine, placement, listener = guest.engine, guest.placement, guest.listener
    if not isinstance(engine, Baking) or needed_secrets(placement.plan):
        return
    labels = labels_of(placement, keys)
    try:
        with step(listener, guest.name, "bake"):
            made = engine.bake(guest.name, PROVISIONED, keys.whole, labels, listener)
            for old in engine.baked_images():
                # An image with machines made from it stays, for `sandbox cache prune`
                if old.key == made.key and old.image != made.image and not old.machines:
                    engine.delete_baked(old.image)
                    forget_use(old.image)
    except SandboxError as error:
        details = f": {error.details}" if error.details else ""
        guest.tell(f"it is not kept for the next time: {error.message}{details}")


def _ago(when: datetime) -> str:
    seconds = max(0.0, (datetime.now(UTC) - when).total_seconds())
    for size, word in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {word}"
    return f"{seconds:.0f} s"
