"""`sandbox bundle`: a box, its lock, and every byte that the lock names, in one file."""

import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from sandbox import __version__
from sandbox.app_files import TooMuchError, UnreadableError, app_files
from sandbox.baking import recipe_digest
from sandbox.box_lock.errors import DiffersFromLockError
from sandbox.box_lock.model import LockedDeb, LockedFile, MachineLock
from sandbox.box_lock.text import lock_path, read_lock
from sandbox.bundle.form import write_bundle
from sandbox.bundle.model import Blob, BundledBase, Manifest, Role, Tree
from sandbox.bundle.tree import Lister, OutsideError, TreeSource, lay_tree
from sandbox.errors import BoxError, SandboxError, UsageError
from sandbox.events import Listener, StepOutput, step
from sandbox.fetch.fetcher import NO_HEADERS
from sandbox.files import whole_file
from sandbox.images.build_folder import build_folder, build_lock
from sandbox.materials.packages.repositories import headers_for
from sandbox.paths import cache_dir, data_dir
from sandbox.placement import Placement
from sandbox.plan import Plan
from sandbox.providers import FALLBACK
from sandbox.providers.abilities import BaseTransfer
from sandbox.resolving import resolve
from sandbox.spec.load import LoadedBox, load_box
from sandbox.spec.problem import short
from sandbox.spec.root import real, shipped
from sandbox.workflows.base import prepare_base
from sandbox.workflows.bundled import SUFFIX
from sandbox.workflows.context import Context
from sandbox.workflows.lock import fitting_lock, lock
from sandbox.workflows.lock_inputs import machine_of, stale_inputs
from sandbox.workflows.locked_plan import locked_placement

_CHUNK_BYTES: Final = 1024**2
_TELL_EVERY_S: Final = 1.0


@dataclass(frozen=True)
class Bundled:
    """A bundle that was written."""

    path: Path
    manifest: Manifest
    manifest_sha256: str
    """Names everything in it: whoever has it by another way can compare."""
    size_bytes: int


def bundle(placement: Placement, output: Path, *, context: Context) -> Bundled:
    """Write a bundle; the box is locked first, where it has no lock.

    Raises:
        UsageError: it cannot be bundled here, or not be written there.
        DiffersFromLockError: the lock does not fit the box, or this host's base image.
        BoxError: the box names things that cannot be in a bundle.
        SandboxError: as in `lock`.
    """
    _require_place(output)
    engine = context.engine(placement.provider)
    if not isinstance(engine, BaseTransfer):
        raise UsageError(
            f"a bundle of a VM's base image cannot be made yet ({placement.provider})",
            hint=f"make it for containers: sandbox bundle --provider {FALLBACK} BOX",
        )
    # Before anything long is done
    loaded = load_box(placement.plan.box_path, root=placement.plan.box_root)
    plan = resolve(loaded)
    _refuse_own_settings(plan, placement)
    machine = _lock(placement, context)
    identity = _base(placement, machine, context)
    placement = locked_placement(placement, context)
    with (
        step(context.listener, placement.name, "bundle") as note,
        build_lock(_work_folder(), placement.name, context.listener, what="bundle"),
        build_folder(_work_folder()) as work,
    ):
        tree, sources = _box(loaded, plan)
        _require_same(tree, sources, plan, work / "box")
        image = work / "image"
        image.mkdir()
        base_files = [
            TreeSource.of(path, "base-image", path.name)
            for path in engine.export_base(identity, image)
        ]
        # What comes first gives a blob its role, where two have the same bytes
        sources = [*base_files, *_locked(placement, machine, context), *sources, *_playbooks()]
        manifest = Manifest(
            sandbox=__version__,
            recipe=recipe_digest(),
            box_name=plan.box_name,
            plan_key=plan.key,
            architecture=platform.machine(),
            base=BundledBase(
                provider=placement.provider,
                name=plan.base.name,
                identity=identity,
                files=tuple(one.sha256 for one in base_files),
            ),
            tree=tree,
            blobs=_blobs(sources),
        )
        digest = _write(output, manifest, sources, _teller(context.listener, placement, manifest))
        size_bytes = output.stat().st_size
        note.text = f"{len(manifest.blobs)} files, {size_bytes / 1e6:.0f} MB"
    return Bundled(output, manifest, digest, size_bytes)


def _require_place(output: Path) -> None:
    if output.exists() and not output.is_file():
        raise UsageError(f"{short(output)} is not a file", hint=f"-o {short(output)}/NAME{SUFFIX}")
    if not output.parent.is_dir():
        raise UsageError(
            f"there is no folder {short(output.parent)}", hint="make it, or choose another: -o FILE"
        )


def _refuse_own_settings(plan: Plan, placement: Placement) -> None:
    """Whoever unpacks the bundle has other settings, and would get another machine."""
    machine = placement.plan.machine
    if plan.model_copy(update={"machine": machine}).key != placement.plan.key:
        raise UsageError(
            "your own settings are a part of this machine: a bundle would give another one",
            details="`mirrors:` of your settings say where the machine's apt, its proxy or its "
            "authorities are",
            hint="put these keys of ~/.config/sandbox/config.yml into the box's own `mirrors:`",
        )


def _lock(placement: Placement, context: Context) -> MachineLock:
    path = lock_path(placement.plan.box_path)
    if not path.exists() or machine_of(placement.plan, read_lock(path)) is None:
        lock(placement, context=context)
    return fitting_lock(placement).machine


def _base(placement: Placement, machine: MachineLock, context: Context) -> str:
    """Which build of the base image it is: the lock's, or else nothing is promised."""
    base = prepare_base(placement, context)
    if base.identity != machine.base.image:
        raise DiffersFromLockError(
            "this host's base image is another build than the one that was locked",
            details=f"{base.identity[:12]} here, {machine.base.image[:12]} in the lock",
            hint=f"sandbox lock {short(placement.plan.box_path)} locks this one",
        )
    return base.identity


def _work_folder() -> Path:
    return cache_dir() / "bundles"


# What goes in


def _box(loaded: LoadedBox, plan: Plan) -> tuple[Tree, list[TreeSource]]:
    """The box's folder: all that the box names, and nothing else of it.

    Raises:
        BoxError: it cannot be in a bundle.
    """
    top = loaded.root.folder or real(loaded.path.parent)
    box = real(loaded.path.parent) / loaded.path.name
    lister = Lister(top)
    # Our own files are on every host that has this version
    is_ours = box.is_relative_to(shipped())

    def wanted(paths: Sequence[Path]) -> Iterator[Path]:
        return (one for one in paths if is_ours or not one.is_relative_to(shipped()))

    certificates = [Path(one) for one in (plan.mirrors.ca_certificates if plan.mirrors else ())]
    facts = [plan.production] if plan.production is not None else []
    named = [*plan.check_files, *plan.ca_certificates, *certificates, *facts]
    try:
        lister.add_all([box, *wanted(loaded.files[1:])], "box")
        lister.add(lock_path(box), "lock")
        lister.add_all(wanted(named), "box")
        for one in plan.r_inputs:
            below = [] if one.path.is_file() else sorted(one.path.rglob("*"))
            lister.add_all(wanted([one.path, *below]), "box")
        for app in (*plan.apps, *plan.apis):
            taken = app_files(app.path, include=app.include, max_mb=app.max_mb).taken
            lister.add_all(wanted([app.path, *taken]), "app")
        return lister.tree(box), lister.sources
    except OutsideError as error:
        raise _not_to_bundle(plan, str(error)) from error
    except ValidationError as error:
        raise _not_to_bundle(plan, error.errors(include_url=False)[0]["msg"]) from None
    except (OSError, TooMuchError, UnreadableError) as error:
        raise _not_to_bundle(plan, f"something cannot be read: {error}") from error


def _not_to_bundle(plan: Plan, details: str) -> BoxError:
    return BoxError(
        f"the box {plan.box_name} cannot be put into a bundle",
        details=details,
        hint="a bundle holds the box's folder: plain files by relative paths, and links inside of "
        "it. Copy there what lies elsewhere",
    )


def _require_same(tree: Tree, sources: Sequence[TreeSource], plan: Plan, folder: Path) -> None:
    """Lay the box out as `up FILE` will, and see that it means the same there.

    Raises:
        BoxError: it does not.
    """
    places = {one.sha256: one.path for one in sources}
    box = lay_tree(tree, folder, places.__getitem__)
    try:
        found = resolve(load_box(box))
        machine = machine_of(found, read_lock(lock_path(box)))
    except SandboxError as error:
        raise _not_to_bundle(plan, error.details or error.message) from error
    if found.key != plan.key or machine is None or stale_inputs(found, machine):
        raise _not_to_bundle(plan, "in another folder it means another machine")


def _locked(placement: Placement, machine: MachineLock, context: Context) -> Iterator[TreeSource]:
    """Every file of the lock; `locked_placement` has seen that they are here."""
    plan = placement.plan
    fetcher = context.fetcher(plan, sandbox=placement.name)
    wanted: list[LockedDeb | LockedFile] = [*machine.system.new_debs, *machine.files]
    for one in wanted:
        role: Role = "deb"
        headers = NO_HEADERS
        if isinstance(one, LockedFile):
            role, headers = "file", headers_for(one.obtained(), plan.base)
        found = fetcher.obtain([one.url], sha256=one.sha256, headers=headers)
        yield TreeSource(found.path, found.sha256, found.size_bytes, role, one.file_name)


def _playbooks() -> Iterator[TreeSource]:
    """For whoever wants to see them; `up FILE` runs its own, and only when they are the same."""
    for kind in ("playbooks", "templates"):
        root = data_dir(kind)
        for folder, inside, names in os.walk(root):
            inside[:] = sorted(name for name in inside if name != "__pycache__")
            for path in (Path(folder, name) for name in sorted(names)):
                yield TreeSource.of(path, "playbooks", f"{kind}/{path.relative_to(root)}")


def _blobs(sources: Sequence[TreeSource]) -> tuple[Blob, ...]:
    found = dict[str, Blob]()
    for one in sources:
        blob = Blob(sha256=one.sha256, size_bytes=one.size_bytes, role=one.role, name=one.name)
        found.setdefault(one.sha256, blob)
    return tuple(found[key] for key in sorted(found))


def _write(
    output: Path, manifest: Manifest, sources: Sequence[TreeSource], told: Callable[[int], None]
) -> str:
    places = {one.sha256: one.path for one in sources}

    def content(blob: Blob) -> Iterator[bytes]:
        with places[blob.sha256].open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                yield chunk

    try:
        with whole_file(output) as fresh, fresh.open("xb") as stream:
            digest = write_bundle(stream, manifest, content, told)
            stream.flush()
            os.fsync(stream.fileno())
    except PermissionError as error:
        raise UsageError(
            f"{short(output)} cannot be written: {error.strerror}", hint="choose another: -o FILE"
        ) from error
    return digest


def _teller(listener: Listener, placement: Placement, manifest: Manifest) -> Callable[[int], None]:
    return progress(listener, placement.name, manifest.size_bytes)


def progress(listener: Listener, sandbox: str, total_bytes: int) -> Callable[[int], None]:
    """Return what hears of bytes, and reports each second how many there were."""
    done, told_at = 0, time.monotonic()

    def told(size_bytes: int) -> None:
        nonlocal done, told_at
        done += size_bytes
        if time.monotonic() - told_at >= _TELL_EVERY_S:
            told_at = time.monotonic()
            listener(StepOutput(sandbox, f"{done / 1e6:.0f} of {total_bytes / 1e6:.0f} MB"))

    return told
