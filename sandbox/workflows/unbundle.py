"""`sandbox bundle verify FILE`, and the first part of `sandbox up FILE`: no network is asked."""

import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sandbox import __version__
from sandbox.baking import recipe_digest
from sandbox.box_lock.text import lock_path, read_lock
from sandbox.bundle.errors import BrokenBundleError, OtherSandboxError
from sandbox.bundle.form import Examined, read_bundle
from sandbox.bundle.model import Blob, Manifest
from sandbox.bundle.tree import lay_tree
from sandbox.errors import SandboxError, UsageError
from sandbox.events import Notice, step
from sandbox.fetch.store import Store
from sandbox.files import private_folder, write_whole
from sandbox.locks import hold
from sandbox.paths import state_dir
from sandbox.plain_file import not_a_file
from sandbox.providers.abilities import BaseTransfer
from sandbox.resolving import resolve
from sandbox.spec.load import load_box
from sandbox.spec.problem import short
from sandbox.workflows.bundle import progress
from sandbox.workflows.bundled import MANIFEST, TREE, bundles_dir
from sandbox.workflows.context import Context

_MOST = 20
"""So many problems are shown."""


@dataclass(frozen=True)
class Unpacked:
    """A bundle whose files are all where `up --locked` looks for them."""

    box: Path
    manifest: Manifest


def verify_bundle(file: Path, *, context: Context) -> Examined:
    """Read a whole bundle, and list all that is broken.

    Raises:
        UsageError: there is no such file.
    """
    with _opened(file) as stream:
        return _examined(file, stream, context)


def _opened(file: Path) -> BinaryIO:
    wrong = not_a_file(file)
    if wrong is not None:
        raise UsageError(f"no bundle {short(file)}: {wrong}", hint="sandbox bundle BOX -o FILE")
    try:
        return file.open("rb")
    except OSError as error:
        raise UsageError(
            f"{short(file)} cannot be read: {error.strerror}", hint="see who may read it: ls -l"
        ) from error


def _examined(file: Path, stream: BinaryIO, context: Context) -> Examined:
    told = progress(context.listener, file.name, os.fstat(stream.fileno()).st_size)
    with step(context.listener, file.name, "read the bundle") as note:
        found = read_bundle(stream, told=told)
        if found.manifest is not None:
            note.text = f"{len(found.manifest.blobs)} files"
    return found


def broken(file: Path, problems: tuple[str, ...]) -> BrokenBundleError:
    """Return the error for a bundle that is not whole."""
    more = [f"and {len(problems) - _MOST} more"] if len(problems) > _MOST else []
    return BrokenBundleError(
        f"the bundle {short(file)} is broken: nothing was made of it",
        details="\n".join([*problems[:_MOST], *more]),
        hint="copy it again from where it was made; there, `sandbox bundle BOX -o FILE` makes it",
    )


def unpack(file: Path, *, context: Context) -> Unpacked:
    """Verify a bundle whole, and then put everything in it in its place.

    Raises:
        BrokenBundleError: it is damaged; nothing was touched.
        OtherSandboxError: it was made by another version, or for another kind of machine.
        UsageError: it is for another provider than the user asks for.
        HostError, ProviderError: there is no room, or the provider does not take the base image.
    """
    with _opened(file) as stream:
        examined = _examined(file, stream, context)
        manifest = examined.manifest
        if manifest is None or examined.problems:
            raise broken(file, examined.problems)
        _refuse_other(manifest, context)
        engine = context.engine(manifest.base.provider)
        if not isinstance(engine, BaseTransfer):
            raise UsageError(f"{manifest.base.provider} cannot take a base image from a bundle yet")
        folder = bundles_dir() / examined.manifest_sha256
        private_folder(bundles_dir(), state_dir())

        def say() -> None:
            context.listener(Notice(file.name, "another command unpacks this bundle: waiting"))

        with hold(folder.with_suffix(".lock"), on_wait=say) as held:
            needs_base = not engine.has_base(manifest.base.identity)
            stream.seek(0)
            delivery = _Delivery(Store(), manifest, needs_base=needs_base)
            try:
                delivery.take_in(file, stream, context)
                if needs_base:
                    with step(context.listener, file.name, "import the base image"):
                        delivery.give_base(engine)
                box = _laid(manifest, folder, delivery.store)
            finally:
                delivery.tidy(folder)
                held.remove_file()
    return Unpacked(box, manifest)


def _refuse_other(manifest: Manifest, context: Context) -> None:
    if manifest.recipe != recipe_digest():
        same = manifest.sandbox == __version__
        other = "other playbooks of that version" if same else f"sandbox {manifest.sandbox}"
        raise OtherSandboxError(
            f"the bundle was made with {other}: this one would make another machine of it",
            details=f"the bundle: {manifest.sandbox}, {manifest.recipe[:12]}\n"
            f"here: {__version__}, {recipe_digest()[:12]}",
            hint=f"install sandbox {manifest.sandbox} here, or bundle the box again with "
            f"{__version__}",
        )
    if manifest.architecture != platform.machine():
        raise OtherSandboxError(
            f"the bundle is for {manifest.architecture}, and this host is {platform.machine()}",
            hint="make it on a host with the same kind of processor",
        )
    if context.provider not in {None, manifest.base.provider}:
        raise UsageError(
            f"the bundle's base image is for {manifest.base.provider}, not {context.provider}",
            hint="leave --provider out",
        )


class _Delivery:
    """Brings the files of a bundle into the store; what nobody needs there leaves it at the end."""

    def __init__(self, store: Store, manifest: Manifest, *, needs_base: bool) -> None:
        self.store = store
        self._manifest = manifest
        # The playbooks are only looked at: this host runs its own
        self._wanted = {one.sha256 for one in manifest.tree.files}
        if needs_base:
            self._wanted.update(manifest.base.files)
        self._new = set[str]()

    def take_in(self, file: Path, stream: BinaryIO, context: Context) -> None:
        """Copy what is not here yet; it is verified once more on the way.

        Raises:
            BrokenBundleError: the file has changed since it was verified.
        """
        told = progress(context.listener, file.name, self._manifest.size_bytes)
        with step(context.listener, file.name, "unpack") as note:
            found = read_bundle(stream, self._take, told)
            if found.problems or found.manifest != self._manifest:
                raise broken(file, (*found.problems, "it was changed while it was read"))
            note.text = f"{len(self._new)} new files"

    def _take(self, blob: Blob, content: Iterator[bytes]) -> None:
        is_wanted = blob.role in {"deb", "file"} or blob.sha256 in self._wanted
        if not is_wanted or self.store.find(blob.sha256) is not None:
            return
        with self.store.incoming(f"bundle {blob.sha256}") as fresh:
            with fresh.open("wb") as file:
                # The iterator fails before its end if these are not the bytes of that checksum
                for chunk in content:
                    file.write(chunk)
            self.store.keep(fresh, blob.sha256)
        self._new.add(blob.sha256)

    def give_base(self, engine: BaseTransfer) -> None:
        """Let the provider have the base image."""
        base = self._manifest.base
        files = [self.store.path_of(one) for one in base.files]
        engine.import_base(base.identity, base.name, files)

    def tidy(self, folder: Path) -> None:
        """Remove from the store what has another place now: the base image, the box's folder."""
        tree = self._manifest.tree
        path = lock_path(folder / TREE / tree.box)
        gone = self._new & set(self._manifest.used())
        kept = set[str]()
        with suppress(SandboxError):
            for machine in read_lock(path).machines.values():
                kept |= {one.sha256 for one in machine.debs}
                kept |= {one.sha256 for one in machine.files}
        if gone - kept:
            self.store.remove(frozenset(gone - kept))


def _laid(manifest: Manifest, folder: Path, store: Store) -> Path:
    """Lay the box's folder out, or find it as it was laid out before."""
    box = folder / TREE / manifest.tree.box
    if _is_whole(folder, manifest) and _means(box, manifest):
        return box
    # Cut off, or changed by somebody
    shutil.rmtree(folder, ignore_errors=True)
    private_folder(folder, state_dir())
    lay_tree(manifest.tree, folder / TREE, store.path_of)
    # Last: only a folder that has it is whole
    write_whole(folder / MANIFEST, manifest.text().decode())
    if not _means(box, manifest):
        shutil.rmtree(folder, ignore_errors=True)
        raise BrokenBundleError(
            "the box in the bundle is not the one that the bundle says",
            details=f"the plan of {manifest.box_name} should have the key {manifest.plan_key}",
            hint="make the bundle again: sandbox bundle BOX -o FILE",
        )
    return box


def _is_whole(folder: Path, manifest: Manifest) -> bool:
    try:
        return (folder / MANIFEST).read_bytes() == manifest.text()
    except OSError:
        return False


def _means(box: Path, manifest: Manifest) -> bool:
    """Whether the box is there, and means the very machine that the bundle was made for."""
    try:
        return resolve(load_box(box)).key == manifest.plan_key
    except (SandboxError, OSError):
        return False
