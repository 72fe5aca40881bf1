"""The keys of baked images: hashes over all that went into an image, and over who makes it.

The image itself is in the provider's store (`providers.abilities.Baking`). This module only decides
whether a machine may be made from an image, and remembers when the image was last used.
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
from typing import Final

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
"""Raise this number when the seal or the way of baking changes: older images are then not used."""

LAYER_MAX_AGE = timedelta(hours=20)
"""A machine younger than this would not ask the mirror again (the bootstrap script asks once a
day): packages installed on top of it come from the same lists as those it has."""

_MAKER = "sandbox.provision"
"""The module in which making a machine begins; every module it imports can change the result."""

IN_NO_MACHINE: Final = frozenset(
    {"playbooks/README.md", "templates/report.html.j2", "templates/workshop"}
)
"""What is in the folders that we ship and changes no machine that is made: pages, reports, texts.

A file or a folder that is not named here counts: at worst a box is baked again for nothing."""


class CacheUse(StrEnum):
    """How `up` uses baked images."""

    USE = "use"
    """Make the machine from a baked image, if there is one; else keep the new machine as one."""
    FRESH = "fresh"
    """Make the machine without an image, and keep it in place of the image that is there."""
    OFF = "off"
    """Neither use nor keep an image."""


@dataclass(frozen=True)
class BakeKeys:
    """The two keys by which images are found."""

    whole: str
    """Key over everything, checks too: a machine made from such an image needs no provisioning."""
    layer: str
    """Key over everything except the list of wanted packages."""


def bake_keys(placement: Placement, base_image: str, engine: Baking) -> BakeKeys:
    """Compute the keys of a plan on top of the base image with that fingerprint.

    Left out is what belongs to one machine only: its name, its size, its folder on this host. The
    disk's size counts where the engine cannot make a clone's disk smaller.
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
    """Hash of the box's own checks: a machine that passed other checks has not passed these."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return "cannot be read"


def without_packages(plan: Plan) -> Plan:
    """Return the same plan without its packages."""
    system = plan.system.model_copy(update={"packages": ()})
    r = plan.r
    if r is not None:
        r = r.without_packages([*r.packages.names, *r.debian_packages.names])
    return plan.model_copy(update={"system": system, "r": r, "apt_packages": ()})


def makers() -> dict[str, bytes]:
    """Return the source of each module that takes part in making machines, by the module's name."""
    return reachable(_MAKER, above=Path(__file__).resolve().parent.parent)


@cache
def recipe_digest() -> str:
    """Hash over all that turns a plan into a machine: templates, playbooks, and their code."""
    digest = hashlib.sha256()
    for name, source in sorted(makers().items()):
        digest.update(f"{name}\0".encode())
        digest.update(source)
    for kind in ("templates", "playbooks"):
        for name, path in _shipped(kind, data_dir(kind)):
            digest.update(f"{name}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _shipped(kind: str, root: Path) -> Iterator[tuple[str, Path]]:
    """Each file that can reach a machine, by its name from the folder above."""
    for folder, inside, files in os.walk(root):
        above = Path(kind, Path(folder).relative_to(root))
        inside[:] = sorted(name for name in inside if _counts(above / name))
        for name in sorted(files):
            if _counts(above / name):
                yield f"{above / name}", Path(folder, name)


def _counts(path: Path) -> bool:
    return path.name != "__pycache__" and str(path) not in IN_NO_MACHINE


def recipe_key(placement: Placement) -> str:
    """Return 12 hex digits over the plan and all that turns a base into that machine."""
    return _key([recipe_digest()], placement.key)


def find_whole(engine: Baking, keys: BakeKeys) -> BakedImage | None:
    """Find the newest complete image with that key."""
    images = engine.baked_images()
    return next((one for one in images if one.complete and one.key == keys.whole), None)


def find_layer(engine: Baking, keys: BakeKeys, plan: Plan) -> BakedImage | None:
    """Find the young image that lacks the fewest packages, and lacks nothing else."""
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
    """Return the notes kept with an image, read by `find_layer` and `sandbox cache list`."""
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
    """Let only one process on this host bake a key; the lock ends with the process that holds it.

    Raises:
        HostError: the cache folder cannot be written to.
    """
    from sandbox.images.build_folder import build_lock

    folder = cache_dir() / "baked" / f"{provider}-{key}"
    with build_lock(folder, name, listener, what="machine"):
        yield


def note_use(image: str) -> None:
    """Note that a machine was made from this image just now."""
    mark = _mark(image)
    private_folder(mark.parent, cache_dir())
    mark.touch()


def last_used(image: BakedImage) -> datetime:
    """Tell when a machine was last made from this image on this host, or else when it was baked."""
    try:
        used = datetime.fromtimestamp(_mark(image.image).stat().st_mtime, UTC)
    except FileNotFoundError:
        return image.made_at
    return max(used, image.made_at)


def forget_use(image: str) -> None:
    """Forget the image: it is gone."""
    _mark(image).unlink(missing_ok=True)


def _mark(image: str) -> Path:
    # A Vagrant box has a slash in its name
    return cache_dir() / "baked" / "used" / image.replace("/", "_")


def _key(around: list[object], plan_key: str) -> str:
    text = json.dumps([*around, plan_key], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]
