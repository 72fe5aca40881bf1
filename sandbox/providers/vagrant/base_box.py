"""`ensure_vagrant_box`: after this call Vagrant has the base image; made or fetched if missing.

Our boxes are called `sandbox/<base>-<key>`, so that a changed recipe is another box. Vagrant's
store is read on disk: `vagrant box list` takes a second, and also lists half a box.
"""

import hashlib
import json
import os
import re
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sandbox.errors import BoxError, CommandError, HostError, ProviderError
from sandbox.events import Listener, Notice, StepOutput, step
from sandbox.fetch.addresses import VAGRANT_BOXES
from sandbox.fetch.authorities import authorities_file
from sandbox.fetch.routes import Routes, address_of
from sandbox.images import build, disk
from sandbox.images.build_folder import build_folder, build_lock
from sandbox.images.recipe import Recipe
from sandbox.images.sources import (
    ArchivesAnswer,
    NoMirrorError,
    choose_sources,
    host_archives,
)
from sandbox.images.tools import host_architecture, missing_tools
from sandbox.images.vm_recipe import vm_form
from sandbox.paths import cache_dir
from sandbox.providers.vagrant.box_files import VERSION, BoxForm, box_files, catalogue, wrapping
from sandbox.providers.vagrant.files import BOX_USER, INSECURE_KEY, VmProvider
from sandbox.providers.vagrant.home import vagrant_home
from sandbox.run import run
from sandbox.spec.base_models import Base, PublicBox
from sandbox.spec.choices import BaseSource
from sandbox.spec.models import Mirror

if TYPE_CHECKING:
    from sandbox.fetch.fetcher import Fetcher

MACHINE = "x86_64"
"""The architecture of images built here; for arm64 there are public boxes."""

_ADD_S = 3600.0
_UNREACHABLE = ("Could not resolve", "Failed to connect", "Couldn't connect", "timed out")


@dataclass(frozen=True)
class VagrantBox:
    """A base image that Vagrant has."""

    name: str
    """`sandbox/debian-12-0123456789ab`, or a public box's."""
    version: str
    provider: VmProvider
    package_index_path: Path | None = None
    """The names of the packages its archive has, gzipped; None when nobody listed them."""

    @property
    def image(self) -> str:
        """The name for `MachineSpec.image`."""
        return f"{self.name}@{self.version}"


def ensure_vagrant_box(
    base: Base,
    *,
    form: BoxForm,
    source: BaseSource,
    mirror: Mirror | None,
    listener: Listener,
    refresh: bool = False,
    archives: ArchivesAnswer | None = None,
    routes: Callable[[], Routes] = Routes,
    fetcher: "Callable[[], Fetcher] | None" = None,
) -> VagrantBox:
    """Find, build or fetch the box of `base`; with `refresh`, again even if there is one.

    Raises:
        BoxError: the base names something that is not possible.
        HostError: this host cannot build it, is of another architecture, or has no space left.
        ProviderError: the build, the fetch or `vagrant box add` failed.
    """
    provider, sources = form.provider, None
    if choose_box_kind(source, provider) != "public":
        try:
            sources = choose_sources(base, mirror, () if mirror else (archives or host_archives)())
        except NoMirrorError:
            if source == "build" or base.images.public_box(provider) is None:
                raise
    if sources is None:
        public = public_box(base, provider)
        return ensure_public_box(public, provider=provider, listener=listener, fetcher=fetcher)
    root = vm_form(login_user=BOX_USER, authorized_key=INSECURE_KEY, distribution=base.distribution)
    recipe = Recipe(base, MACHINE, "build", sources, root, wrapping(form))
    folder = cache_dir() / "images" / recipe.key
    name = f"sandbox/{base.name}-{recipe.key}"
    if refresh or not is_whole(name, VERSION, provider):
        with build_lock(folder, base.name, listener):
            # Another command may have made it while we waited
            if refresh or not is_whole(name, VERSION, provider):
                _make(recipe, name, form, folder, listener, routes=routes())
    index = folder / build.INDEX_NAME
    return VagrantBox(name, VERSION, provider, index if index.is_file() else None)


def ensure_public_box(
    public: PublicBox,
    sha256: str | None = None,
    *,
    provider: VmProvider,
    listener: Listener,
    fetcher: "Callable[[], Fetcher] | None" = None,
) -> VagrantBox:
    """Find or fetch somebody else's box, at exactly that version.

    A box with a known checksum is kept under a name of ours, which holds that checksum: the box
    under the public name may have come from anywhere. `sha256` is the checksum of the file for
    this host's architecture, when `public` does not know it.

    Raises:
        HostError: it is not published for this host's architecture.
        ProviderError: it cannot be fetched, or does not match its checksum.
    """
    architecture = host_architecture()
    if architecture not in public.architectures:
        raise HostError(
            f"the public box {public.box} is for {' and '.join(public.architectures)} only, "
            f"and this host is {architecture}",
            details="a virtual machine has the architecture of its host",
            hint="choose a base that has it (sandbox doctor), or --provider incus",
        )
    sha256 = sha256 or dict(public.sha256).get(architecture)
    name = public.box if sha256 is None else checked_name(public.box, sha256)
    found = VagrantBox(name, public.box_version, provider)
    if not is_whole(name, public.box_version, provider):
        digest = hashlib.sha256(found.image.encode()).hexdigest()[:12]
        folder = cache_dir() / "images" / f"public-{digest}"
        with build_lock(folder, public.box, listener):
            if not is_whole(name, public.box_version, provider):
                its = fetcher() if fetcher is not None else _plain_fetcher(listener)
                _fetch(public, found, sha256, folder, listener, fetcher=its)
    return found


def checked_name(box: str, sha256: str) -> str:
    """Return our own name for a public box, once its file has the right checksum."""
    return f"sandbox/{box.replace('/', '-')}-{sha256[:12]}"


def named_box(box: str, version: str) -> PublicBox:
    """Return the public box that a user names; Vagrant finds out its architectures."""
    return PublicBox(box=box, box_version=version, architectures=("amd64", "arm64"))


def public_box(base: Base, provider: VmProvider) -> PublicBox:
    """Return the public box of a base.

    Raises:
        BoxError: the base names no public box.
    """
    found = base.images.public_box(provider)
    if found is None:
        raise BoxError(
            f"the base {base.name} names no public box for {provider}",
            hint=f"`images.{provider}_public` of the base, or `--base-source build` on Debian",
        )
    return found


def choose_box_kind(source: BaseSource, provider: VmProvider) -> Literal["build", "public"]:
    """Decide whether the box is built here or fetched.

    Raises:
        HostError: it must be built, and this host cannot.
    """
    if source == "public":
        return "public"
    why = build.obstacle(MACHINE, whose="the base image")
    missing = missing_tools() if why is None else ()
    if missing:
        text = f"missing: {', '.join(missing)}"
        hint = f"sandbox host setup --provider libvirt, or apt-get install {' '.join(missing)}"
        why = build.Obstacle(text, hint=hint, could_be_mended=True)
    if why is None:
        return "build"
    if source == "build" or why.could_be_mended:
        message = f"this host cannot build a base image for {provider}"
        raise HostError(message, details=why.text, hint=why.hint)
    return "public"


def is_whole(name: str, version: str, provider: VmProvider) -> bool:
    """Tell whether Vagrant has the box, with every file whole."""
    # Vagrant 2.4 adds a folder for the architecture, and may have several of them
    root = box_root(name) / version
    return is_whole_box(root / provider) or is_whole_box(root / host_architecture() / provider)


def box_root(name: str) -> Path:
    """Tell where Vagrant keeps all versions of a box."""
    return vagrant_home() / "boxes" / name.replace("/", "-VAGRANTSLASH-")


def is_whole_box(folder: Path) -> bool:
    """Tell whether a folder of Vagrant's store has every file of a box, each of them whole."""
    try:
        metadata = json.loads((folder / "metadata.json").read_bytes())
        for name, size in _needed(metadata, folder).items():
            found = (folder / name).stat().st_size
            if size not in (None, found):
                return False
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        # Cut off, or not a box: it is made again
        return False
    return True


def _needed(metadata: dict[str, object], folder: Path) -> Mapping[str, int | None]:
    """The files of a box, with their sizes where it is one of ours."""
    ours = metadata.get("sandbox")
    if isinstance(ours, dict):
        return {str(name): int(size) for name, size in ours["files"].items()}
    if metadata["provider"] == "virtualbox":
        text = (folder / "box.ovf").read_text(errors="replace", encoding="utf-8")
        return dict.fromkeys(re.findall(r'<(?:\w+:)?File\b[^>]*\bhref="([^"]+)"', text))
    disks = metadata.get("disks")
    listed = [str(one["path"]) for one in disks] if isinstance(disks, list) else []
    return dict.fromkeys(listed or ["box.img"])


def _make(
    recipe: Recipe, name: str, form: BoxForm, folder: Path, listener: Listener, *, routes: Routes
) -> None:
    base = recipe.base.name
    if recipe.sources.note:
        listener(Notice(base, recipe.sources.note))
    log = folder / "build.log"
    with build_folder(folder) as work:
        with step(listener, base, f"build the base image {base} for {form.provider}") as note:
            root = build.build_root(recipe, work, log, listener, routes=routes)
            raw = disk.build_disk(root, work, log)
            root.unlink()
            image = work / form.disk_name
            disk.convert(raw, image, form.convert, log)
            raw.unlink()
            note.text = f"{image.stat().st_size / 1e6:.0f} MB"
        # Before the box is added: after that nobody builds again, so nobody would make the index
        build.keep_index(work, folder)
        with step(listener, base, f"add the base image {base} to Vagrant"):
            box = pack_box(image, form, recipe.key)
            image.unlink()
            text = catalogue(name, VERSION, form.provider, box.as_uri())
            _add(text, form.provider, work, log, listener)


def pack_box(image: Path, form: BoxForm, key: str) -> Path:
    """Put the disk and the files around it into a .box file in the same folder."""
    files = box_files(form, key=key, disk_bytes=image.stat().st_size)
    for name, text in files.items():
        (image.parent / name).write_text(text, encoding="utf-8")
    box = image.parent / "image.box"
    # Not compressed: the disk is
    with tarfile.open(box, "w") as archive:
        for name in (*files, image.name):
            archive.add(image.parent / name, arcname=name, filter=_plain)
    return box


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Leave the builder's user and times out of the box."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    entry.mode = 0o644
    return entry


def _fetch(
    public: PublicBox,
    wanted: VagrantBox,
    sha256: str | None,
    folder: Path,
    listener: Listener,
    *,
    fetcher: "Fetcher",
) -> None:
    title = f"fetch the public box {public.box} {public.box_version}"
    provider, architecture = wanted.provider, host_architecture()
    with build_folder(folder) as work, step(listener, public.box, title):
        log = folder / "fetch.log"
        if sha256 is None:
            text = "no checksum of it is pinned: Vagrant goes by the one that the catalogue names"
            listener(Notice(public.box, text))
            words = (public.box, "--box-version", public.box_version)
            with authorities_file(fetcher.routes) as authorities:
                trust = ("--cacert", str(authorities)) if authorities else ()
                env = _by_itself(fetcher.routes)
                _vagrant_add((*words, *trust), provider, work, log, listener, network=env)
            return
        where = f"{public.box.replace('/', '/boxes/', 1)}/versions/{public.box_version}"
        own = f"{_server(fetcher.routes)}/{where}/providers/{provider}/{architecture}/vagrant.box"
        url = public.url or own
        if not url.startswith("file:"):
            # By ourselves: through the user's mirror and proxy, and checked before Vagrant has it
            url = fetcher.obtain([url], sha256=sha256).path.as_uri()
        text = catalogue(
            wanted.name,
            wanted.version,
            provider,
            url,
            sha256=sha256,
            architecture=architecture,
        )
        _add(text, provider, work, log, listener)
        # Vagrant has its own copy now
        fetcher.store.remove(frozenset({sha256}))


def _plain_fetcher(listener: Listener) -> "Fetcher":
    """What fetches where no mirrors are known. Loaded late: most boxes are there already."""
    from sandbox.fetch.fetcher import Fetcher
    from sandbox.fetch.store import Store

    return Fetcher(Routes(), Store(), listener)


def _server(routes: Routes) -> str:
    """The catalogue to ask: the public one when a mirror stands for it, else as Vagrant does."""
    own = os.environ.get("VAGRANT_SERVER_URL")
    is_chosen = own and routes.mirrors.vagrant_boxes is None
    return own.rstrip("/") if own and is_chosen else VAGRANT_BOXES


def _by_itself(routes: Routes) -> dict[str, str]:
    """The environment in which Vagrant fetches through the user's mirror and proxy."""
    mirror = routes.mirrors.vagrant_boxes
    if mirror is None:
        return routes.variables()
    url = address_of(mirror).url
    return {"VAGRANT_SERVER_URL": url, **routes.variables([url])}


def _add(text: str, provider: VmProvider, work: Path, log: Path, listener: Listener) -> None:
    """Let Vagrant add the box that a catalogue of our own describes."""
    path = work / "catalogue.json"
    path.write_text(text, encoding="utf-8")
    _vagrant_add((str(path),), provider, work, log, listener, network={})
    # It would ask that file for newer versions, and complain that it is gone
    (box_root(json.loads(text)["name"]) / "metadata_url").unlink(missing_ok=True)


def _vagrant_add(
    words: tuple[str, ...],
    provider: VmProvider,
    work: Path,
    log: Path,
    listener: Listener,
    *,
    network: Mapping[str, str],
) -> None:
    # --force: replaces what a killed command left in the store
    argv = ("vagrant", "box", "add", *words, "--provider", provider, "--force", "--no-color")
    # In a folder without a Vagrantfile: it must not read a user's one
    env = {"VAGRANT_CWD": str(work), "VAGRANT_CHECKPOINT_DISABLE": "1", "LC_ALL": "C.UTF-8"}
    try:
        run(
            argv,
            timeout_s=_ADD_S,
            cwd=work,
            env={**env, **network},
            log=log,
            on_line=lambda line: listener(StepOutput("vagrant", line)),
        )
    except CommandError as error:
        raise _explain(error, log) from error


def _explain(error: CommandError, log: Path) -> HostError | ProviderError:
    details = error.details or error.message
    if error.returncode == 127:  # noqa: PLR2004  (not found)
        return HostError(
            "Vagrant is not installed",
            details=details,
            hint="sandbox host setup --provider libvirt",
        )
    if "No space left" in details:
        where = vagrant_home()
        message = "no space left for a base image"
        return HostError(message, details=details, hint=f"df -h {where}; vagrant box list")
    if any(words in details for words in _UNREACHABLE):
        return ProviderError(
            "Vagrant cannot fetch the public box",
            details=details,
            hint="is this host online? A Debian host can build the image: --base-source build",
        )
    return ProviderError("Vagrant could not add the base image", details=details, hint=str(log))
