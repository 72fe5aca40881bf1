"""Boxes that came in a bundle: where they lie, and what their bundle says of them."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sandbox.errors import SandboxError
from sandbox.paths import state_dir
from sandbox.plain_file import not_a_file
from sandbox.saved import BrokenFileError, read_saved
from sandbox.spec.extending import SUFFIXES as BOX_SUFFIXES
from sandbox.state import Instance, instance_names

if TYPE_CHECKING:
    from sandbox.bundle.model import Manifest

SUFFIX: Final = ".sandbox"
"""What a bundle's name ends with, unless somebody chose another one."""
MANIFEST: Final = "manifest.json"
TREE: Final = "box"
"""The folder next to the manifest: what the box may read."""


def bundles_dir() -> Path:
    """Return the folder with one folder for each bundle, by the checksum of its manifest."""
    return state_dir() / "bundles"


def bundle_at(target: str | None, *, cwd: Path) -> Path | None:
    """Return the bundle that the user's word means; None when it means something else."""
    if target is None or target.endswith(BOX_SUFFIXES) or not ("/" in target or "." in target):
        return None
    path = cwd / target
    if not_a_file(path) is not None:
        return None
    if path.name.endswith(SUFFIX):
        return path
    from sandbox.bundle.form import BLOCK, looks_like_bundle

    try:
        with path.open("rb") as stream:
            return path if looks_like_bundle(stream.read(BLOCK)) else None
    except OSError:
        return None


def manifest_of(box: Path) -> "Manifest | None":
    """Return the manifest of the bundle that a box came in; None for every other box.

    Such a box is always made from its lock and its bundle's base image, and the user's own mirrors
    have no part in it: or else it would be another machine than the bundle promises.

    Raises:
        BrokenFileError: what was unpacked is damaged.
    """
    folder = bundles_dir()
    if not box.is_relative_to(folder):
        return None
    # Only boxes of bundles pay for this import
    from sandbox.bundle.model import Manifest

    place = folder / box.relative_to(folder).parts[0] / MANIFEST
    hint = "the bundle has it: sandbox up FILE, with the file of the bundle"
    found = read_saved(
        place, Manifest, message="what was unpacked of a bundle is broken", hint=hint
    )
    if found is None:
        raise BrokenFileError(place, "it is not there", hint=hint)
    return found


def unused_bundles() -> tuple[Path, ...]:
    """List folders of bundles that no sandbox was made from."""
    folder = bundles_dir()
    if not folder.is_dir():
        return ()
    used = set[Path]()
    for name in instance_names():
        with suppress(SandboxError):
            record = Instance(name).read()
            if record is not None:
                used |= set(record.plan.box_path.parents)
    return tuple(one for one in sorted(folder.iterdir()) if one.is_dir() and one not in used)
