"""What is kept beside baked images: base images, hypervisors' copies of them, packages, builds.

All of it can be made or fetched again. `sandbox.workflows.cache` has the baked images.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pydantic import BaseModel, ConfigDict

from sandbox.engines.base import Baking, BaseCopies, BaseCopy
from sandbox.engines.vagrant_files import VmFolder
from sandbox.errors import SandboxError
from sandbox.events import Listener, Notice, step
from sandbox.images.archives import Shelf, remove_shelf, shelves
from sandbox.images.outdated import (
    OldBase,
    bases_or_none,
    clear_folder,
    remove_base,
    stale_folders,
)
from sandbox.images.stored_boxes import OurBox, our_boxes, remove_box
from sandbox.state import Instance, instance_names
from sandbox.workflows.context import DRIVEN, Context


class KeptImage(BaseModel):
    """One line of `sandbox cache list`."""

    model_config = ConfigDict(frozen=True)

    image: str
    """Its name in the provider's store, or its folder on this host."""
    kind: str
    """`baked` (a provisioned machine), `base` (a bare one), `copy` (of a base, in the hypervisor's
    own store), `packages` (for building bases), or `build` (what a build left)."""
    provider: str
    box: str = ""
    """The box that was baked; empty for all else."""
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
    """What was used within this time stays."""
    keep_last: int = 0
    """So many of the newest of each box, base or release stay."""

    def is_old(self, used_at: datetime) -> bool:
        """Whether it was not used for so long that it may go."""
        return datetime.now(UTC) - used_at >= self.older_than


class Ranks:
    """Counts, while the newest come first, how many of a kind there were."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def next_of(self, kind: str) -> int:
        """Give 1 for the newest of that kind, 2 for the one before it, and so on."""
        self._seen[kind] = self._seen.get(kind, 0) + 1
        return self._seen[kind]


def kept_beside(context: Context) -> list[KeptImage]:
    """All of it, wherever it can be asked for."""
    users = _users_of_boxes()
    found = [_base_as_kept(base) for base in bases_or_none(context.client()) or ()]
    found += [_box_as_kept(box, users) for box in our_boxes()]
    for provider, _, copies in _copies(context):
        found += [_copy_as_kept(copy, provider) for copy in copies]
    return found + [_shelf_as_kept(shelf) for shelf in shelves()]


def prune_beside(rule: PruneRule, context: Context, *, dry_run: bool) -> Iterator[KeptImage]:
    """Remove what is not in use and not spared by `rule`; the newest base image always stays.

    A hypervisor's copy that no machine needs goes whatever the rule says, as with `destroy`.
    """
    yield from _prune_boxes(rule, context.listener, dry_run=dry_run)
    yield from _prune_copies(context, dry_run=dry_run)
    yield from _prune_bases(rule, context, dry_run=dry_run)
    yield from _prune_packages(rule, context.listener, dry_run=dry_run)


def _prune_bases(rule: PruneRule, context: Context, *, dry_run: bool) -> Iterator[KeptImage]:
    """Those in Incus that a newer one of the same base has overtaken, and folders of old builds."""
    client, ranks = context.client(), Ranks()
    bases = bases_or_none(client)
    if bases is None:
        # Whose the folders are cannot be told, then
        return
    for base in bases:
        spared = ranks.next_of(base.base) <= rule.keep_last
        if not base.outdated or spared or not rule.is_old(base.used_at):
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


def _prune_boxes(rule: PruneRule, listener: Listener, *, dry_run: bool) -> Iterator[KeptImage]:
    users, ranks = _users_of_boxes(), Ranks()
    for box in our_boxes():
        if box.whole:
            spared = ranks.next_of(f"{box.base} {box.provider}") <= rule.keep_last
            in_use = spared or box.image in users
            if not box.outdated or in_use or not rule.is_old(box.made_at):
                continue
        if not dry_run:
            with step(listener, "", f"remove {box.image} for {box.provider}"):
                try:
                    removed = remove_box(box)
                except OSError as error:
                    listener(Notice("", f"{box.image} stays: {error}"))
                    continue
            if not removed:
                continue
        yield _box_as_kept(box, users)


def _prune_copies(context: Context, *, dry_run: bool) -> Iterator[KeptImage]:
    for provider, engine, copies in _copies(context):
        unused = {copy.name: copy for copy in copies if not copy.machines}
        names = tuple(unused)
        if unused and not dry_run:
            with step(context.listener, "", f"remove {provider}'s copies of base images"):
                names = engine.drop_unused_bases()
        yield from (_copy_as_kept(unused[name], provider) for name in names if name in unused)


def _prune_packages(rule: PruneRule, listener: Listener, *, dry_run: bool) -> Iterator[KeptImage]:
    ranks = Ranks()
    for shelf in shelves():
        if ranks.next_of(shelf.suite) <= rule.keep_last or not rule.is_old(shelf.used_at):
            continue
        if not dry_run:
            try:
                remove_shelf(shelf)
            except OSError as error:
                listener(Notice("", f"{shelf.folder} stays: {error}"))
                continue
        yield _shelf_as_kept(shelf)


def _copies(context: Context) -> Iterator[tuple[str, BaseCopies, tuple[BaseCopy, ...]]]:
    for provider in DRIVEN:
        engine = context.engine(provider)
        if not isinstance(engine, BaseCopies):
            continue
        try:
            copies = engine.base_copies()
        except SandboxError as error:
            # Of one that bakes it was said when it was asked for baked images
            if not isinstance(engine, Baking):
                context.listener(Notice("", f"{provider} was not asked: {error.message}"))
            continue
        yield provider, engine, copies


def _users_of_boxes() -> dict[str, tuple[str, ...]]:
    """The sandboxes that were made from each box of Vagrant's store."""
    users: dict[str, tuple[str, ...]] = {}
    for name in instance_names():
        try:
            record = VmFolder(Instance(name).folder).read()
        except SandboxError:
            # It cannot be started any more either
            continue
        if record is not None:
            users[record.image] = (*users.get(record.image, ()), name)
    return users


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


def _box_as_kept(box: OurBox, users: dict[str, tuple[str, ...]]) -> KeptImage:
    return KeptImage(
        image=box.image,
        kind="base",
        provider=box.provider,
        base=box.base,
        key=box.key,
        made_at=box.made_at,
        size_bytes=box.size_bytes,
        machines=users.get(box.image, ()),
        complete=box.whole,
        outdated=box.outdated,
    )


def _copy_as_kept(copy: BaseCopy, provider: str) -> KeptImage:
    return KeptImage(
        image=copy.name,
        kind="copy",
        provider=provider,
        size_bytes=copy.size_bytes,
        machines=copy.machines,
    )


def _shelf_as_kept(shelf: Shelf) -> KeptImage:
    return KeptImage(
        image=str(shelf.folder),
        kind="packages",
        provider="",
        base=shelf.suite,
        made_at=shelf.changed_at,
        last_used_at=shelf.used_at,
        size_bytes=shelf.size_bytes,
    )
