"""Find and fetch the files that a plan asks for: builds of R, packages of R, RStudio Server.

The plan then names each file by its checksum. An existing machine keeps its files while its box
asks for the same; a new one gets what was found before: for good when the box names exact versions,
and otherwise for as long as a baked machine may serve as a layer.
"""

import time
from collections.abc import Callable, Collection
from pathlib import Path

from sandbox.baking import LAYER_MAX_AGE
from sandbox.events import step
from sandbox.files import private_folder, write_whole
from sandbox.obtained import Materials
from sandbox.paths import cache_dir
from sandbox.placement import Placement
from sandbox.plan import Plan
from sandbox.saved import BrokenFileError, read_saved
from sandbox.workflows.context import Context


def with_files(placement: Placement, context: Context, *, again: bool = False) -> Placement:
    """Return the placement with the files that its plan asks for.

    Args:
        placement: the plan; nothing is looked for when it has its files already.
        context: the listener, and the user's mirrors.
        again: look for newer ones, whatever was found before.

    Raises:
        FetchError: a file cannot be had; the hint names the mirror's key.
        BoxError: the box asks for something that does not exist.
    """
    plan = placement.plan
    if plan.materials.files or not plan.needs_files:
        return placement
    known = None if again else _known(plan)
    if known is not None:
        return placement.with_plan(plan.with_materials(known))
    with step(context.listener, placement.name, "files") as note:
        materials = _found(placement, context)
        note.text = f"{len(materials.files)} files"
    _remember(plan, materials)
    return placement.with_plan(plan.with_materials(materials))


def package_of_today(
    placement: Placement, package: str, r_versions: Collection[str], context: Context
) -> Materials:
    """Find one R package as it is today, and what it needs of R packages; fetches no others.

    Args:
        placement: the plan.
        package: its name.
        r_versions: the Rs for which it is wanted.
        context: the listener, and the user's mirrors.

    Raises:
        SandboxError: as in `with_files`.
    """
    from sandbox.materials.packages.obtain import obtain
    from sandbox.materials.packages.with_r import rs_of

    plan = placement.plan
    rs = [one.wanting(package) for one in rs_of(plan) if one.version in r_versions]
    with step(context.listener, placement.name, "files") as note:
        found = obtain(plan, context.fetcher(plan), _teller(placement, context), rs=rs)
        note.text = f"{len(found.files)} files"
    return found


def _found(placement: Placement, context: Context) -> Materials:
    # Only a plan that asks for such files pays for these imports
    from sandbox.materials.packages.obtain import obtain as r_packages
    from sandbox.materials.r_builds import obtain as r_builds
    from sandbox.materials.rstudio import obtain as rstudio

    plan, fetcher, tell = (
        placement.plan,
        context.fetcher(placement.plan),
        _teller(placement, context),
    )
    parts = [obtain(plan, fetcher, tell) for obtain in (r_builds, rstudio, r_packages)]
    files = [one for part in parts for one in part.files]
    return Materials(
        files=tuple(sorted(files, key=lambda one: (one.kind, one.r, one.name))),
        debian_packages=tuple(sorted({name for part in parts for name in part.debian_packages})),
    )


def _teller(placement: Placement, context: Context) -> Callable[[str], None]:
    from sandbox.events import Notice

    return lambda text: context.listener(Notice(placement.name, text))


def _place(plan: Plan) -> Path:
    return cache_dir() / "materials" / f"{plan.request_key}.json"


def _known(plan: Plan) -> Materials | None:
    """What was found for the same request before; None when that may be too old."""
    place = _place(plan)
    try:
        found = read_saved(place, Materials, message="", hint="")
        age_s = time.time() - place.stat().st_mtime if found is not None else 0.0
    except (BrokenFileError, FileNotFoundError):
        return None
    is_young = age_s < LAYER_MAX_AGE.total_seconds()
    return found if is_young or plan.asks_for_exact_files else None


def _remember(plan: Plan, materials: Materials) -> None:
    place = _place(plan)
    private_folder(place.parent, cache_dir())
    write_whole(place, materials.model_dump_json(indent=1))
