"""`ensure_base`: after this call the base image is in Incus; made or fetched only if missing.

Two commands that want the same image wait for each other. The next build clears leftovers of a
killed one; Incus itself shows an image only when it has all of it.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from sandbox.errors import BoxError, HostError, ProviderError, SandboxError
from sandbox.events import Listener, Notice, step
from sandbox.fetch.routes import Routes
from sandbox.images import build
from sandbox.images.build_folder import build_folder, build_lock
from sandbox.images.recipe import Recipe
from sandbox.images.sources import (
    ArchivesAnswer,
    NoMirrorError,
    choose_sources,
    host_archives,
)
from sandbox.paths import cache_dir
from sandbox.providers.incus.answer import environment_of
from sandbox.providers.incus.client import IncusClient, NotFoundError, api_path
from sandbox.providers.incus.image_metadata import write_metadata
from sandbox.providers.incus.project_images import (
    COPY_S,
    KEY_PROPERTY,
    BaseImage,
    import_image,
    our_images,
    point,
)
from sandbox.spec.base_models import Base
from sandbox.spec.choices import BaseSource
from sandbox.spec.models import Mirror

_PUBLIC_REMOTE = "images"
"""The name that every Incus has for the public image server."""
_PUBLIC = "default"
"""The project that an image server shows to everybody."""


def ensure_base(
    base: Base,
    *,
    client: IncusClient,
    source: BaseSource,
    mirror: Mirror | None,
    listener: Listener,
    refresh: bool = False,
    archives: ArchivesAnswer | None = None,
    routes: Callable[[], Routes] = Routes,
    ahead: build.Ahead | None = None,
) -> BaseImage:
    """Find, build or fetch the image of `base`; with `refresh`, again even if there is one.

    Raises:
        BoxError: the base names something that is not possible.
        HostError: this host cannot build it, or has no space left.
        ProviderError: the build, the fetch or the import failed.
    """
    recipe = _recipe(base, source, mirror, client, archives)
    folder = cache_dir() / "images" / recipe.key
    found = None if refresh else find_image(client, recipe)
    if found is None:
        with build_lock(folder, base.name, listener):
            # Another command may have made it while we waited
            found = None if refresh else find_image(client, recipe)
            if found is None:
                found = _make(recipe, client, folder, listener, routes(), ahead=ahead)
    index = folder / build.INDEX_NAME
    return BaseImage(recipe.alias, found, index if index.is_file() else None)


def find_image(client: IncusClient, recipe: Recipe) -> str | None:
    """Find the fingerprint of the recipe's image; if our image lost its alias, set it again.

    Raises:
        HostError, ProviderError: Incus could not be asked.
    """
    images = our_images(client)
    for image in images:
        if any(entry["name"] == recipe.alias for entry in image.get("aliases") or ()):
            return str(image["fingerprint"])
    for image in images:
        if _made_by(image, recipe):
            point(client, recipe.alias, str(image["fingerprint"]))
            return str(image["fingerprint"])
    return None


def choose_kind(source: BaseSource, machine: str) -> Literal["build", "public"]:
    """Decide whether the image is built here or fetched from the public server.

    Raises:
        HostError: it must be built, and this host cannot.
    """
    if source == "public":
        return "public"
    why = build.obstacle(machine, whose="the Incus server")
    if why is None:
        return "build"
    if source == "build" or why.could_be_mended:
        raise HostError("this host cannot build a base image", details=why.text, hint=why.hint)
    return "public"


def _recipe(
    base: Base,
    source: BaseSource,
    mirror: Mirror | None,
    client: IncusClient,
    archives: ArchivesAnswer | None,
) -> Recipe:
    server = client.query("GET", "/1.0")
    machine = str(environment_of(server)["architectures"][0])
    kind = choose_kind(source, machine)
    if kind == "public":
        return Recipe(base, machine, kind)
    try:
        sources = choose_sources(base, mirror, () if mirror else (archives or host_archives)())
    except NoMirrorError:
        if source == "build":
            raise
        return Recipe(base, machine, "public")
    return Recipe(base, machine, kind, sources)


def _made_by(image: dict[str, Any], recipe: Recipe) -> bool:
    return bool((image.get("properties") or {}).get(KEY_PROPERTY) == recipe.key)


def _make(
    recipe: Recipe,
    client: IncusClient,
    folder: Path,
    listener: Listener,
    routes: Routes,
    *,
    ahead: build.Ahead | None,
) -> str:
    if recipe.sources.note:
        listener(Notice(recipe.base.name, recipe.sources.note))
    if recipe.kind == "public":
        return _fetch(recipe, client, listener, routes)
    name = recipe.base.name
    with build_folder(folder) as work:
        with step(listener, name, f"build the base image {name}") as note:
            log = folder / "build.log"
            root = build.build_root(recipe, work, log, listener, routes=routes, ahead=ahead)
            note.text = f"{root.stat().st_size / 1e6:.0f} MB"
        # Before the import: after it nobody builds again, and so nobody would make the index
        build.keep_index(work, folder)
        with step(listener, name, f"import the base image {name}"):
            write_metadata(work / "metadata.tar", recipe)
            fingerprint = _import(recipe, client, work / "metadata.tar", root)
    return fingerprint


def _import(recipe: Recipe, client: IncusClient, metadata: Path, root: Path) -> str:
    """Give the tarballs to Incus; when the new image is there, older ones of the recipe go."""
    older = [str(image["fingerprint"]) for image in our_images(client) if _made_by(image, recipe)]
    fingerprint = import_image(client, (metadata, root))
    point(client, recipe.alias, fingerprint)
    for other in older:
        if other != fingerprint:
            _forget(client, other)
    return fingerprint


def _forget(client: IncusClient, fingerprint: str) -> None:
    """Remove an image that a newer one of the same key replaces; machines made from it stay."""
    try:
        client.query("DELETE", api_path("images", fingerprint))
    except NotFoundError:
        return


def _fetch(recipe: Recipe, client: IncusClient, listener: Listener, routes: Routes) -> str:
    public = recipe.base.images.incus_public
    with step(listener, recipe.base.name, f"fetch the public base image {public}"):
        if ":" not in public or public.startswith("-"):
            raise BoxError(
                f"{public!r} names no image on a public server",
                hint="`images.incus_public` of the base: REMOTE:NAME, such as images:debian/12",
            )
        try:
            remote, _, name = public.partition(":")
            mirror = routes.mirrors.incus_images
            if mirror is not None and remote == _PUBLIC_REMOTE:
                fingerprint = _pulled(client, mirror, name)
            else:
                fingerprint = _copied(client, public)
        except SandboxError as error:
            raise ProviderError(
                f"cannot fetch the public image {public}",
                details=error.details or error.message,
                hint="is the image server reachable (or its mirror, `mirrors.incus_images`)? A "
                "Debian host can build the image instead: `--base-source build`",
            ) from error
        point(client, recipe.alias, fingerprint)
        return fingerprint


def _copied(client: IncusClient, public: str) -> str:
    fingerprint = _public_fingerprint(client, public)
    if not client.exists("images", fingerprint):
        target = (f"{client.place.remote}:", "--target-project", client.place.project)
        client.run("image", "copy", public, *target, timeout_s=COPY_S, project=_PUBLIC)
    return fingerprint


def _pulled(client: IncusClient, server: str, name: str) -> str:
    """Let the daemon fetch from a mirror: the user's own list of servers stays as it is."""
    source = {
        "type": "image",
        "mode": "pull",
        "protocol": "simplestreams",
        "server": server,
        "alias": name,
    }
    done = client.query("POST", api_path("images"), {"source": source}, timeout_s=COPY_S)
    found = (done.get("metadata") or {}).get("fingerprint") if isinstance(done, dict) else None
    if not isinstance(found, str) or not re.fullmatch(r"[0-9a-f]{64}", found):
        raise ProviderError(f"Incus named no fingerprint of {name}", details=str(done)[:2000])
    return found


def _public_fingerprint(client: IncusClient, public: str) -> str:
    done = client.run("image", "info", public, timeout_s=60, project=_PUBLIC)
    found = re.search(r"^Fingerprint: ([0-9a-f]{64})", done.stdout, re.MULTILINE)
    if found is None:
        raise ProviderError(f"Incus named no fingerprint of {public}", details=done.stdout)
    return found.group(1)
