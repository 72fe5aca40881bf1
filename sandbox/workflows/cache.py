"""Baked images: bake a box, list the kept images, remove them."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from sandbox.baking import CacheUse, bake_keys, baking_lock, find_whole, forget_use, last_used
from sandbox.errors import BusyError, ProvisionError, SandboxError, UsageError
from sandbox.events import Listener, Notice, step
from sandbox.placement import Placement
from sandbox.providers import FALLBACK
from sandbox.providers.abilities import BakedImage, Baking
from sandbox.providers.engine import MachineStatus
from sandbox.secret_values import needed_secrets
from sandbox.state import Instance, instance_names, locked
from sandbox.workflows.base import prepare_base
from sandbox.workflows.cache_materials import KeptImage, PruneRule, Ranks, kept_beside, prune_beside
from sandbox.workflows.context import Context
from sandbox.workflows.files_to_fetch import with_files
from sandbox.workflows.machine_spec import record_elsewhere
from sandbox.workflows.power import destroy
from sandbox.workflows.up import up

_BAKE = "bake-"
_BAKE_SANDBOX = re.compile(r"(bake|lock)-[0-9a-f]{12}")
"""The name that `bake` gives its own sandbox; `lock`, too, throws its own away."""


@dataclass(frozen=True)
class Baked:
    """The result of `bake`."""

    image: str
    made_at: datetime
    already_there: bool


def bake(placement: Placement, *, context: Context, fresh: bool = False) -> Baked:
    """Bake a box, and leave no sandbox behind.

    Raises:
        UsageError: the provider cannot bake, or the image would hold secrets.
        ProvisionError: the machine did not pass its checks.
        SandboxError: as in `up`.
    """
    plan = placement.plan
    if needed := needed_secrets(plan):
        raise UsageError(
            f"{plan.box_name} cannot be baked: its image would hold secrets",
            details="\n".join(f"{one.name}: {', '.join(one.places)}" for one in needed),
            hint="sandbox up gives them to one machine at a time; to bake the rest, put it into a "
            "box of its own and let this one extend it",
        )
    engine = context.engine(placement.provider)
    if not isinstance(engine, Baking):
        raise UsageError(
            f"{placement.provider} keeps no baked images yet", hint=f"--provider {FALLBACK}"
        )
    # Before a base image is built, which takes minutes
    context.agreed_checks(plan)
    placement = with_files(placement, context, again=fresh)
    keys = bake_keys(placement, prepare_base(placement, context).identity, engine)
    name = f"{_BAKE}{keys.whole}"
    found = None if fresh else find_whole(engine, keys)
    try:
        _clear_cut_off(name, placement.provider, keys.whole, engine, context)
    except BusyError:
        # Somebody is baking it again; until then the present image serves
        if found is None:
            raise
    if found is not None:
        return Baked(found.image, found.made_at, already_there=True)
    cache = CacheUse.FRESH if fresh else CacheUse.USE
    try:
        result = up(placement.renamed(name), context=context, cache=cache)
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
    """Remove the leftovers of a killed bake: nobody knows their state.

    Raises:
        BusyError: another command is baking it just now.
    """
    if Instance(name).exists():
        destroy(name, context=context)
    if all(image.complete for image in engine.baked_images() if image.key == key):
        return
    # An `up` of any name may be working with it
    with baking_lock(provider, key, name, context.listener):
        for image in engine.baked_images():
            if image.key == key and not image.complete:
                engine.delete_baked(image.image)


def kept(context: Context) -> tuple[KeptImage, ...]:
    """List all images at every provider that can be asked, the newest first."""
    found = [
        _as_kept(image, provider)
        for provider, engine in _bakers(context)
        for image in engine.baked_images(with_sizes=True)
    ]
    found += kept_beside(context)
    oldest = datetime.min.replace(tzinfo=UTC)
    return tuple(sorted(found, key=lambda one: one.made_at or oldest, reverse=True))


def prune(rule: PruneRule, *, context: Context, dry_run: bool = False) -> tuple[KeptImage, ...]:
    """Remove images that are not in use and not spared by `rule`; return them (or would-be ones).

    The machines' images go first: the images below them may be free after that. An image is in use
    when a sandbox was made from it, whatever the provider would allow, or when it is being made.
    Unfinished images are always removed.
    """
    removed = list(_prune_cut_off(context, dry_run=dry_run))
    for provider, engine in _bakers(context):
        for image in _to_prune(engine.baked_images(with_sizes=True), rule):
            if dry_run or _remove(engine, image, provider, context.listener):
                removed.append(_as_kept(image, provider))
    return (*removed, *prune_beside(rule, context, dry_run=dry_run))


def _prune_cut_off(context: Context, *, dry_run: bool) -> Iterator[KeptImage]:
    """The sandboxes of bakes that were killed: nobody but `bake` itself knows of them."""
    for name, provider in _bake_sandboxes(context).items():
        try:
            # A bake that runs just now holds the lock
            with locked(name):
                pass
            if not dry_run:
                destroy(name, context=context)
        except BusyError:
            continue
        except SandboxError as error:
            context.listener(Notice("", f"{name} stays: {error.message}"))
            continue
        yield KeptImage(image=name, kind="baked", provider=provider, complete=False)


def _bake_sandboxes(context: Context) -> dict[str, str]:
    """Sandboxes with a folder, and those that have lost it; each with its provider."""
    found: dict[str, str] = {}
    for provider, _ in _bakers(context):
        # Where there are no images, the hypervisor itself may not even be installed
        statuses: dict[str, MachineStatus] = {}
        with suppress(SandboxError):
            statuses = context.engine(provider).status()
        for name, status in statuses.items():
            theirs = record_elsewhere(status, Instance(name).folder)
            if _BAKE_SANDBOX.fullmatch(name) and not theirs:
                found[name] = provider
    for name in instance_names():
        if _BAKE_SANDBOX.fullmatch(name):
            found.setdefault(name, "")
    return found


def _bakers(context: Context) -> Iterator[tuple[str, Baking]]:
    for provider in context.providers:
        engine = context.engine(provider)
        if not isinstance(engine, Baking):
            continue
        try:
            engine.baked_images()
        except SandboxError as error:
            context.listener(Notice("", f"{provider} was not asked: {error.message}"))
            continue
        yield provider, engine


def _to_prune(images: tuple[BakedImage, ...], rule: PruneRule) -> Iterator[BakedImage]:
    ranks = Ranks()
    for image in images:
        if not image.complete:
            yield image
            continue
        spared = ranks.next_of(dict(image.labels).get("box", image.key)) <= rule.keep_last
        if not spared and not image.machines and rule.is_old(last_used(image)):
            yield image


def _remove(engine: Baking, image: BakedImage, provider: str, listener: Listener) -> bool:
    """Remove an image, unless somebody began to use it; a failure is only a notice."""
    try:
        # Who bakes this key just now has its lock, and we must not take an unfinished image
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
