"""Baked images, and what else can be made again: bake a box, list what is kept, remove it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pydantic import BaseModel, ConfigDict

from sandbox.baking import (
    CacheUse,
    bake_keys,
    baking_lock,
    find_whole,
    forget_use,
    last_used,
)
from sandbox.engines.base import BakedImage, Baking
from sandbox.errors import BusyError, ProvisionError, SandboxError, UsageError
from sandbox.events import Listener, Notice, step
from sandbox.images.outdated import (
    OldBase,
    bases_or_none,
    clear_folder,
    remove_base,
    stale_folders,
)
from sandbox.plan import Plan
from sandbox.state import Instance
from sandbox.workflows.base import prepare_base
from sandbox.workflows.context import DRIVEN, Context
from sandbox.workflows.power import destroy
from sandbox.workflows.up import up


class KeptImage(BaseModel):
    """One line of `sandbox cache list`."""

    model_config = ConfigDict(frozen=True)

    image: str
    """Its name in the provider's store."""
    kind: str
    """`baked` (a provisioned machine), `base` (a bare one), or `build` (what a build left)."""
    provider: str
    box: str = ""
    """The box that was baked; empty for a base image."""
    base: str = ""
    key: str = ""
    made_at: datetime | None = None
    last_used_at: datetime | None = None
    size_bytes: int | None = None
    """What it takes by itself; None when the provider cannot tell."""
    machines: tuple[str, ...] = ()
    """The sandboxes that were made from it."""
    complete: bool = True
    """False for what was cut off in the making; `prune` removes it."""
    outdated: bool = False
    """For a base image: `up` would use or make another one by now."""


@dataclass(frozen=True)
class PruneRule:
    """What `prune` spares."""

    older_than: timedelta = timedelta(0)
    """Images that were used within this time stay."""
    keep_last: int = 0
    """So many of each box's newest images stay."""


@dataclass(frozen=True)
class Baked:
    """What `bake` came to."""

    image: str
    made_at: datetime
    already_there: bool


def bake(plan: Plan, *, context: Context, fresh: bool = False) -> Baked:
    """Bake a box, and leave no sandbox behind.

    Raises:
        UsageError: the provider cannot bake.
        ProvisionError: the machine did not pass its checks.
        SandboxError: as `up`.
    """
    engine = context.engine(plan.provider)
    if not isinstance(engine, Baking):
        raise UsageError(f"{plan.provider} keeps no baked images yet", hint="--provider incus")
    keys = bake_keys(plan, prepare_base(plan, context).identity)
    name = f"bake-{keys.whole}"
    found = None if fresh else find_whole(engine, keys)
    try:
        _clear_cut_off(name, plan.provider, keys.whole, engine, context)
    except BusyError:
        # Somebody bakes it anew, and what there is will do until then
        if found is None:
            raise
    if found is not None:
        return Baked(found.image, found.made_at, already_there=True)
    cache = CacheUse.FRESH if fresh else CacheUse.USE
    try:
        result = up(plan.model_copy(update={"name": name}), context=context, cache=cache)
    finally:
        if Instance(name).exists():
            destroy(name, context=context)
    if result.report is not None and not result.report.ok:
        problems = (f"{one.title}: {one.actual}" for one in result.report.problems)
        raise ProvisionError(
            f"{plan.box_name} did not pass its checks: it is not baked",
            details="\n".join(problems),
            hint=f"sandbox up {plan.box_path} makes it to look at",
        )
    made = find_whole(engine, keys)
    if made is None:
        raise SandboxError(f"{plan.box_name} was made and checked, but could not be kept")
    return Baked(made.image, made.made_at, already_there=False)


def _clear_cut_off(name: str, provider: str, key: str, engine: Baking, context: Context) -> None:
    """Remove what a bake that was killed has left: nobody knows how that is.

    Raises:
        BusyError: another command bakes it just now.
    """
    if Instance(name).exists():
        destroy(name, context=context)
    if all(image.complete for image in engine.baked_images() if image.key == key):
        return
    # An `up` of any name may be at it
    with baking_lock(provider, key, name, context.listener):
        for image in engine.baked_images():
            if image.key == key and not image.complete:
                engine.delete_baked(image.image)


def kept(context: Context) -> tuple[KeptImage, ...]:
    """Everything that is kept at every provider that can be asked, the newest first."""
    found = [
        _as_kept(image, provider)
        for provider, engine in _bakers(context)
        for image in engine.baked_images(with_sizes=True)
    ]
    found += [_base_as_kept(base) for base in bases_or_none(context.client()) or ()]
    oldest = datetime.min.replace(tzinfo=UTC)
    return tuple(sorted(found, key=lambda one: one.made_at or oldest, reverse=True))


def prune(rule: PruneRule, *, context: Context, dry_run: bool = False) -> tuple[KeptImage, ...]:
    """Remove what is not in use and not spared by `rule`; returns what was (or would be) removed.

    In use is an image that a sandbox was made from, whatever the provider would allow, and one that
    is being made. What was cut off in the making always goes.
    """
    now = datetime.now(UTC)
    removed: list[KeptImage] = []
    for provider, engine in _bakers(context):
        for image in _to_prune(engine.baked_images(with_sizes=True), rule, now):
            if dry_run or _remove(engine, image, provider, context.listener):
                removed.append(_as_kept(image, provider))
    return (*removed, *_prune_bases(rule, context, dry_run=dry_run))


def _prune_bases(rule: PruneRule, context: Context, *, dry_run: bool) -> Iterator[KeptImage]:
    """Base images that a newer one of the same base has overtaken, and folders of old builds."""
    client, now = context.client(), datetime.now(UTC)
    bases = bases_or_none(client)
    if bases is None:
        # Whose the folders are cannot be told, then
        return
    for base in bases:
        if not base.outdated or now - base.used_at < rule.older_than:
            continue
        if not dry_run:
            with step(context.listener, "", f"remove {base.name}"):
                remove_base(client, base)
        yield _base_as_kept(base)
    for folder in stale_folders(client):
        # Not what is below: a build that was killed has the host's /proc mounted in there
        size = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
        if dry_run or clear_folder(folder):
            yield KeptImage(image=str(folder), kind="build", provider="", size_bytes=size)


def _bakers(context: Context) -> Iterator[tuple[str, Baking]]:
    for provider in DRIVEN:
        engine = context.engine(provider)
        if not isinstance(engine, Baking):
            continue
        try:
            engine.baked_images()
        except SandboxError as error:
            context.listener(Notice("", f"{provider} was not asked: {error.message}"))
            continue
        yield provider, engine


def _to_prune(
    images: tuple[BakedImage, ...], rule: PruneRule, now: datetime
) -> Iterator[BakedImage]:
    seen: dict[str, int] = {}
    for image in images:
        if not image.complete:
            yield image
            continue
        box = dict(image.labels).get("box", image.key)
        seen[box] = seen.get(box, 0) + 1
        is_old = now - last_used(image) >= rule.older_than
        if seen[box] > rule.keep_last and is_old and not image.machines:
            yield image


def _remove(engine: Baking, image: BakedImage, provider: str, listener: Listener) -> bool:
    """Remove it, unless somebody began to use it; that it cannot be is worth a notice."""
    try:
        # Whoever bakes this key just now has its lock, and its unfinished image is not ours to take
        with baking_lock(provider, image.key, image.image, listener):
            now = next((one for one in engine.baked_images() if one.image == image.image), None)
            if now is None or now.machines or now.complete != image.complete:
                return False
            with step(listener, "", f"remove {image.image}"):
                engine.delete_baked(image.image)
            forget_use(image.image)
    except SandboxError as error:
        listener(Notice("", f"{image.image} stays: {error.message}"))
        return False
    return True


def _as_kept(image: BakedImage, provider: str) -> KeptImage:
    labels = dict(image.labels)
    return KeptImage(
        image=image.image,
        kind="baked",
        provider=provider,
        box=labels.get("box", ""),
        base=labels.get("base", ""),
        key=image.key,
        made_at=image.made_at if image.complete else None,
        last_used_at=last_used(image) if image.complete else None,
        size_bytes=image.size_bytes,
        machines=image.machines,
        complete=image.complete,
    )


def _base_as_kept(base: OldBase) -> KeptImage:
    return KeptImage(
        image=base.name,
        kind="base",
        provider="incus",
        base=base.base,
        key=base.key,
        made_at=base.made_at,
        last_used_at=base.used_at,
        size_bytes=base.size_bytes,
        outdated=base.outdated,
    )
