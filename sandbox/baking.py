"""What a baked image is called: one key over all that went into it, and who makes it.

The image itself is in the provider's store (`providers.abilities.Baking`). Here is only what
decides whether a machine may be made from it, and when it was last used.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache
from pathlib import Path

from sandbox import __version__
from sandbox.events import Listener
from sandbox.files import private_folder
from sandbox.paths import cache_dir, data_dir
from sandbox.placement import Placement
from sandbox.plan import Plan
from sandbox.providers.abilities import BakedImage, Baking
from sandbox.reachable import reachable
from sandbox.spec.models import Machine

FORMAT = 1
"""Raised when the seal or the way of baking changes: what was baked before is not used any more."""

LAYER_MAX_AGE = timedelta(hours=20)
"""A machine that is this young would not ask the mirror again (the bootstrap script does so once a
day): what is installed on top of it comes from the same lists as what it has."""

_MAKER = "sandbox.provision"
"""What is done to a machine begins here; all that it needs has its part in what comes of it."""


class CacheUse(StrEnum):
    """What `up` does with baked images."""

    USE = "use"
    """Make the machine from one where there is one; keep it as one where there is none."""
    FRESH = "fresh"
    """Make the machine from nothing, and keep it in place of what is there."""
    OFF = "off"
    """Neither use nor keep any."""


@dataclass(frozen=True)
class BakeKeys:
    """By what images are found."""

    whole: str
    """Of everything, its checks too: a machine made from such an image needs no provisioning."""
    layer: str
    """Of everything but which packages are wanted."""


def bake_keys(placement: Placement, base_image: str, engine: Baking) -> BakeKeys:
    """The keys of the plan on top of the base image of that fingerprint.

    Left out is what only one machine has: its name, its size, its folder on this host. The size of
    its disk counts where the engine cannot make a clone's smaller.
    """
    plan = placement.plan
    same_size = plan.model_copy(update={"machine": Machine()})
    around = [FORMAT, __version__, placement.provider, base_image, recipe_digest()]
    if engine.clones_keep_disk_size:
        around.append(plan.machine.disk_gb)
    proof = [plan.budget.model_dump(mode="json"), [_digest(path) for path in plan.check_files]]
    return BakeKeys(
        whole=_key([*around, *proof], placement.with_plan(same_size).key),
        layer=_key(around, placement.with_plan(without_packages(same_size)).key),
    )


def _digest(path: Path) -> str:
    """Of a box's own checks: a machine that passed others has not been proven by these."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return "cannot be read"


def without_packages(plan: Plan) -> Plan:
    """The plan of a machine that is alike but for the packages that it has."""
    system = plan.system.model_copy(update={"packages": ()})
    r = plan.r
    if r is not None:
        r = r.model_copy(update={"packages": r.packages.model_copy(update={"names": ()})})
    return plan.model_copy(update={"system": system, "r": r, "apt_packages": ()})


def makers() -> dict[str, bytes]:
    """The source of each module that has a part in making machines, by the module's name."""
    return reachable(_MAKER, above=Path(__file__).resolve().parent.parent)


@cache
def recipe_digest() -> str:
    """Over what turns a plan into a machine: templates, playbooks, and the code around them."""
    digest = hashlib.sha256()
    for name, source in sorted(makers().items()):
        digest.update(f"{name}\0".encode())
        digest.update(source)
    for kind in ("templates", "playbooks"):
        root = data_dir(kind)
        for folder, inside, files in os.walk(root):
            inside[:] = sorted(name for name in inside if name != "__pycache__")
            for path in (Path(folder, name) for name in sorted(files)):
                digest.update(f"{kind}/{path.relative_to(root)}\0".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()


def recipe_key(placement: Placement) -> str:
    """12 hex digits over the plan and all that turns a base into it."""
    return _key([recipe_digest()], placement.key)


def find_whole(engine: Baking, keys: BakeKeys) -> BakedImage | None:
    """The newest complete image of that key."""
    images = engine.baked_images()
    return next((one for one in images if one.complete and one.key == keys.whole), None)


def find_layer(engine: Baking, keys: BakeKeys, plan: Plan) -> BakedImage | None:
    """A young image that only lacks packages which the plan adds: the one that lacks the fewest."""
    wanted = set(plan.apt_packages)
    oldest = datetime.now(UTC) - LAYER_MAX_AGE
    best: tuple[int, BakedImage] | None = None
    for image in engine.baked_images():
        labels = dict(image.labels)
        if not image.complete or labels.get("layer") != keys.layer or image.made_at < oldest:
            continue
        has = set(labels.get("packages", "").split())
        if has <= wanted and (best is None or len(has) > best[0]):
            best = (len(has), image)
    return best[1] if best is not None else None


def labels_of(placement: Placement, keys: BakeKeys) -> tuple[tuple[str, str], ...]:
    """What is kept with an image, so that `find_layer` and `sandbox cache list` know it."""
    plan = placement.plan
    return (
        ("base", plan.base.name),
        ("box", plan.box_name),
        ("layer", keys.layer),
        ("packages", " ".join(plan.apt_packages)),
        ("plan", placement.key),
    )


@contextmanager
def baking_lock(provider: str, key: str, name: str, listener: Listener) -> Iterator[None]:
    """One bake of a key at a time on this host; the lock goes with the process that holds it.

    Raises:
        HostError: the cache folder cannot be written to.
    """
    from sandbox.images.build_folder import build_lock

    folder = cache_dir() / "baked" / f"{provider}-{key}"
    with build_lock(folder, name, listener, what="machine"):
        yield


def note_use(image: str) -> None:
    """Remember that a machine was made from it just now."""
    mark = _mark(image)
    private_folder(mark.parent, cache_dir())
    mark.touch()


def last_used(image: BakedImage) -> datetime:
    """When a machine was last made from it on this host, or else when it was baked."""
    try:
        used = datetime.fromtimestamp(_mark(image.image).stat().st_mtime, UTC)
    except FileNotFoundError:
        return image.made_at
    return max(used, image.made_at)


def forget_use(image: str) -> None:
    """The image is gone."""
    _mark(image).unlink(missing_ok=True)


def _mark(image: str) -> Path:
    # A Vagrant box has a slash in its name
    return cache_dir() / "baked" / "used" / image.replace("/", "_")


def _key(around: list[object], plan_key: str) -> str:
    text = json.dumps([*around, plan_key], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]
