"""Things kept with baked images: base images, hypervisors' copies of them, packages, builds.

All of them can be made or fetched again. `sandbox.workflows.cache` has the baked images.
"""

import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from sandbox.errors import SandboxError
from sandbox.events import Listener, Notice, step
from sandbox.fetch.store import Store, StoredFile
from sandbox.images.archives import Shelf, remove_shelf, shelves
from sandbox.images.build_folder import clear_folder, stale_folders
from sandbox.providers.abilities import Baking, BaseCopies, BaseCopy
from sandbox.providers.base_images import StoredBase
from sandbox.workflows.bundled import unused_bundles
from sandbox.workflows.context import Context


class KeptImage(BaseModel):
    """One line of `sandbox cache list`."""

    model_config = ConfigDict(frozen=True)

    image: str
    """Its name in the provider's store, or its folder on this host."""
    kind: str
    """`baked` (a provisioned machine), `base` (a bare one), `copy` (of a base, in the hypervisor's
    own store), `packages` (for building bases), `fetched` (builds of R, RStudio, R packages),
    `bundle` (a box that came in one, and that no sandbox is made from), or `build` (what a build
    left)."""
    provider: str
    box: str = ""
    """The box that was baked; empty for everything else."""
    base: str = ""
    key: str = ""
    made_at: datetime | None = None
    last_used_at: datetime | None = None
    size_bytes: int | None = None
    """Its own space on the disk; None when the provider cannot tell."""
    machines: tuple[str, ...] = ()
    """The sandboxes that were made from it."""
    complete: bool = True
    """False for an unfinished one; `prune` removes it."""
    outdated: bool = False
    """For a base image: `up` would use or make another one now."""


@dataclass(frozen=True)
class PruneRule:
    """The things that `prune` spares."""

    older_than: timedelta = timedelta(0)
    """Things that were used within this time stay."""
    keep_last: int = 0
    """This many of the newest of each box, base or release stay."""

    def is_old(self, used_at: datetime) -> bool:
        """Tell whether a thing was not used for so long that it may go."""
        return datetime.now(UTC) - used_at >= self.older_than


class Ranks:
    """Counts how many of a kind there were so far; ask for the newest first."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def next_of(self, kind: str) -> int:
        """Give 1 for the newest of that kind, 2 for the one before it, and so on."""
        self._seen[kind] = self._seen.get(kind, 0) + 1
        return self._seen[kind]


def kept_beside(context: Context) -> list[KeptImage]:
    """List all the things kept beside baked images, at every provider that can be asked."""
    found = []
    for name, provider in context.providers.items():
        # The listing of baked images has already reported a provider that does not answer
        with suppress(SandboxError):
            found += [_base_as_kept(one, name) for one in provider.stored_bases(context.place)]
    for provider_name, _, copies in _copies(context):
        found += [_copy_as_kept(copy, provider_name) for copy in copies]
    found += [_shelf_as_kept(shelf) for shelf in shelves()]
    found += [_bundle_as_kept(folder) for folder in unused_bundles()]
    store = Store()
    files = store.files()
    return [*found, _files_as_kept(store, files)] if files else found


def prune_beside(rule: PruneRule, context: Context, *, dry_run: bool) -> Iterator[KeptImage]:
    """Remove things not in use and not spared by `rule`; the newest base image always stays.

    A hypervisor's copy that no machine needs is removed in any case, as with `destroy`.
    """
    yield from _prune_bases(rule, context, dry_run=dry_run)
    yield from _prune_copies(context, dry_run=dry_run)
    yield from _prune_builds(context, dry_run=dry_run)
    yield from _prune_packages(rule, context.listener, dry_run=dry_run)
    yield from _prune_fetched(rule, context.listener, dry_run=dry_run)
    yield from _prune_bundles(rule, context.listener, dry_run=dry_run)


def _prune_bundles(rule: PruneRule, listener: Listener, *, dry_run: bool) -> Iterator[KeptImage]:
    """Boxes of bundles that no sandbox is made from."""
    for folder in unused_bundles():
        kept = _bundle_as_kept(folder)
        if kept.made_at is None or not rule.is_old(kept.made_at):
            continue
        if not dry_run:
            with step(listener, "", f"remove {folder.name[:12]}"):
                shutil.rmtree(folder, ignore_errors=True)
        yield kept


def _bundle_as_kept(folder: Path) -> KeptImage:
    try:
        made_at = datetime.fromtimestamp(folder.stat().st_mtime, UTC)
    except FileNotFoundError:
        made_at = None
    return KeptImage(image=str(folder), kind="bundle", provider="", made_at=made_at)


def _prune_bases(rule: PruneRule, context: Context, *, dry_run: bool) -> Iterator[KeptImage]:
    """Base images with a newer one of the same base, and unfinished ones."""
    for name, provider in context.providers.items():
        try:
            bases = provider.stored_bases(context.place)
        except SandboxError:
            continue
        ranks = Ranks()
        for base in bases:
            if base.whole:
                spared = ranks.next_of(base.base) <= rule.keep_last
                in_use = spared or bool(base.machines)
                if not base.outdated or in_use or not rule.is_old(base.used_at or base.made_at):
                    continue
            if dry_run or _remove_base(base, context.listener):
                yield _base_as_kept(base, name)


def _remove_base(base: StoredBase, listener: Listener) -> bool:
    with step(listener, "", f"remove {base.title}"):
        try:
            return base.remove()
        except OSError as error:
            listener(Notice("", f"{base.image} stays: {error}"))
            return False


def _prune_builds(context: Context, *, dry_run: bool) -> Iterator[KeptImage]:
    """Build folders of images that are gone everywhere."""
    needed: set[str] = set()
    for provider in context.providers.values():
        try:
            needed |= provider.needed_builds(context.place)
        except SandboxError:
            # Then nobody can tell to which image the folders belong
            return
    for folder in stale_folders(frozenset(needed)):
        # Do not look deeper: a killed build has the host's /proc mounted in there
        size = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
        if dry_run or clear_folder(folder):
            yield KeptImage(image=str(folder), kind="build", provider="", size_bytes=size)


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


def _prune_fetched(rule: PruneRule, listener: Listener, *, dry_run: bool) -> Iterator[KeptImage]:
    """Fetched files that were not used for so long; a sandbox that has one keeps its own link."""
    if rule.keep_last and not rule.older_than:
        # Of these there is no newest one: which of them are needed, only their age can tell
        return
    store = Store()
    files = tuple(one for one in store.files() if rule.is_old(one.used_at))
    if not dry_run:
        try:
            store.remove(frozenset(one.sha256 for one in files))
        except OSError as error:
            listener(Notice("", f"{store.folder} stays: {error}"))
            return
    if files:
        yield _files_as_kept(store, files)


def _copies(context: Context) -> Iterator[tuple[str, BaseCopies, tuple[BaseCopy, ...]]]:
    for provider in context.providers:
        engine = context.engine(provider)
        if not isinstance(engine, BaseCopies):
            continue
        try:
            copies = engine.base_copies()
        except SandboxError as error:
            # The listing of baked images has already reported a provider that bakes
            if not isinstance(engine, Baking):
                context.listener(Notice("", f"{provider} was not asked: {error.message}"))
            continue
        yield provider, engine, copies


def _base_as_kept(base: StoredBase, provider: str) -> KeptImage:
    return KeptImage(
        image=base.image,
        kind="base",
        provider=provider,
        base=base.base,
        key=base.key,
        made_at=base.made_at,
        last_used_at=base.used_at,
        size_bytes=base.size_bytes,
        machines=base.machines,
        complete=base.whole,
        outdated=base.outdated,
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


def _files_as_kept(store: Store, files: tuple[StoredFile, ...]) -> KeptImage:
    return KeptImage(
        image=str(store.folder),
        kind="fetched",
        provider="",
        last_used_at=max(one.used_at for one in files),
        size_bytes=sum(one.size_bytes for one in files),
    )
