"""Our base images in Vagrant's store: list them, find out which are outdated, and remove them.

Ours are called `sandbox/…`: built here, or public ones with a known checksum. A box under a public
name may be somebody's, and is left alone. The store is read from the disk, as in
`sandbox.providers.vagrant.base_box`: that shows half a box, and Vagrant need not be asked.
"""

import hashlib
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from sandbox.errors import SandboxError
from sandbox.images.build_folder import empty_folder, is_held, no_build_in
from sandbox.paths import cache_dir
from sandbox.providers.base_images import StoredBase
from sandbox.providers.vagrant.base_box import is_whole_box
from sandbox.providers.vagrant.files import VmFolder, VmProvider
from sandbox.providers.vagrant.home import vagrant_home
from sandbox.state import Instance, instance_names

_NAME = re.compile(r"(?P<base>.+)-(?P<key>[0-9a-f]{12})")
_OURS = "sandbox-VAGRANTSLASH-"


@dataclass(frozen=True)
class OurBox:
    """A base image of ours in Vagrant's store."""

    image: str
    """`sandbox/debian-12-0123456789ab@1.0.0`, as in the record of a machine made from it."""
    base: str
    key: str
    provider: VmProvider
    folder: Path
    made_at: datetime
    size_bytes: int
    whole: bool
    """False for a box that was cut off while Vagrant added it."""
    outdated: bool = False
    """There is a newer one of the same base for that provider."""

    @property
    def build_folders(self) -> tuple[Path, ...]:
        """Folders where it was made or fetched; who does that holds the lock of one of them."""
        fetched = hashlib.sha256(self.image.encode()).hexdigest()[:12]
        images = cache_dir() / "images"
        return images / self.key, images / f"public-{fetched}"


def our_boxes(provider: VmProvider) -> tuple[OurBox, ...]:
    """List all boxes for `provider`, the newest first, without those being added just now."""
    found = sorted(_boxes(provider), key=lambda box: box.made_at, reverse=True)
    newest: dict[str, Path] = {}
    for box in found:
        if box.whole:
            newest.setdefault(box.base, box.folder)
    return tuple(
        replace(box, outdated=box.whole and newest[box.base] != box.folder) for box in found
    )


def stored_keys() -> frozenset[str]:
    """Return the keys of all boxes of ours in Vagrant's store, whole or not."""
    boxes = (vagrant_home() / "boxes").glob(f"{_OURS}*")
    return frozenset(box.name.rpartition("-")[2] for box in boxes)


def stored_bases(provider: VmProvider) -> tuple[StoredBase, ...]:
    """List our boxes for `provider`, as the rest of the program knows base images."""
    users = users_of_boxes()
    return tuple(
        StoredBase(
            image=box.image,
            base=box.base,
            key=box.key,
            made_at=box.made_at,
            size_bytes=box.size_bytes,
            machines=users.get(box.image, ()),
            whole=box.whole,
            outdated=box.outdated,
            title=f"{box.image} for {provider}",
            remove=partial(remove_box, box),
        )
        for box in our_boxes(provider)
    )


def users_of_boxes() -> dict[str, tuple[str, ...]]:
    """Map each box of Vagrant's store to the sandboxes that were made from it."""
    users: dict[str, tuple[str, ...]] = {}
    for name in instance_names():
        try:
            record = VmFolder(Instance(name).folder).read()
        except SandboxError:
            # A sandbox with such a record cannot be started any more either
            continue
        if record is not None:
            users[record.image] = (*users.get(record.image, ()), name)
    return users


def remove_box(box: OurBox) -> bool:
    """Remove a box and the rest of its build; False when somebody is making it again just now.

    Raises:
        OSError: we may not remove it.
    """
    with ExitStack() as locks:
        if not all(locks.enter_context(no_build_in(folder)) for folder in box.build_folders):
            return False
        # Without this file it is not a box, for Vagrant and for us: should the rest be cut off
        (box.folder / "metadata.json").unlink(missing_ok=True)
        shutil.rmtree(box.folder)
        _clear_above(box.folder)
        for folder in box.build_folders:
            empty_folder(folder)
    return True


def _clear_above(folder: Path) -> None:
    """Remove the folders around it, unless they hold another version, or another provider's."""
    for parent in folder.parents:
        if parent.name == "boxes":
            return
        if [path.name for path in parent.iterdir()] == ["metadata_url"]:
            (parent / "metadata_url").unlink()
        with suppress(OSError):
            parent.rmdir()


def _boxes(provider: VmProvider) -> Iterator[OurBox]:
    store = vagrant_home() / "boxes"
    places = (f"{_OURS}*/*/{provider}", f"{_OURS}*/*/*/{provider}")
    for folder in (one for place in places for one in store.glob(place)):
        name, version = folder.relative_to(store).parts[:2]
        match = _NAME.fullmatch(name.removeprefix(_OURS))
        if match is None:
            continue
        files = [path.stat() for path in folder.rglob("*") if path.is_file()]
        box = OurBox(
            image=f"sandbox/{match[0]}@{version}",
            base=match["base"],
            key=match["key"],
            provider=provider,
            folder=folder,
            made_at=datetime.fromtimestamp(folder.stat().st_mtime, UTC),
            size_bytes=sum(file.st_size for file in files),
            whole=is_whole_box(folder),
        )
        if box.whole or not any(is_held(one) for one in box.build_folders):
            yield box
