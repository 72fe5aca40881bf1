"""Making a Debian root with mmdebstrap."""

import os
import platform
import shlex
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sandbox.architecture import DEBIAN_ARCHITECTURES
from sandbox.errors import CommandError, HostError, ProviderError, SandboxError
from sandbox.events import Listener, Notice, StepOutput
from sandbox.fetch.authorities import authorities_file
from sandbox.fetch.routes import Routes
from sandbox.images import archives
from sandbox.images.build_folder import MARK
from sandbox.images.recipe import PACKAGES, Recipe, mmdebstrap_argv
from sandbox.images.sources import host_proxy
from sandbox.images.tools import tool_path
from sandbox.paths import data_dir
from sandbox.run import run
from sandbox.spec.base_models import Base

INDEX_NAME = "packages.txt.gz"

_BUILD_S = 3600.0
# mmdebstrap repeats our hooks line by line; these lines tell how far it is
_AHEAD = "ahead: "
_TELLING = ("I: ", "W: ", "E: ", "Get:", "Err:")


@dataclass(frozen=True)
class Ahead:
    """Packages that will be installed on top of the image: what they need is known early."""

    packages: tuple[str, ...]
    tell: Callable[[str], object]
    """Gets each line of apt's answer (`apt-get --print-uris`), while the build goes on."""

    @property
    def mmdebstrap_options(self) -> tuple[str, ...]:
        """Options for mmdebstrap. They do not change the image, and so are no part of its key."""
        if not self.packages:
            return ()
        ours = shlex.join(PACKAGES)
        words = "apt-get -qq --print-uris --no-install-recommends -o Acquire::ForceHash=SHA256"
        ask = f"APT_CONFIG=$MMDEBSTRAP_APT_CONFIG LC_ALL=C {words} install --"
        # Only what the image itself does not get; a guess may be wrong, and must not end a build
        hook = (
            f"{{ {ask} {ours}; {ask} {ours} {shlex.join(self.packages)}; }} 2>/dev/null"
            f" | sort | uniq -u | sed 's/^/{_AHEAD}/' || true"
        )
        return (f"--essential-hook={hook}",)


@dataclass(frozen=True)
class Obstacle:
    """Why an image cannot be built here."""

    text: str
    hint: str = ""
    could_be_mended: bool = False
    """The host is of the right kind and only lacks a package."""


def obstacle(machine: str, *, whose: str) -> Obstacle | None:
    """Find why an image for `machine` cannot be built here; None when it can.

    `whose` names, for the message, what has that architecture.
    """
    release = platform.freedesktop_os_release() if Path("/etc/os-release").exists() else {}
    family = {release.get("ID", ""), *release.get("ID_LIKE", "").split()}
    if "debian" not in family:
        return Obstacle("it is not a Debian or one of its family", hint="--base-source public")
    if machine not in DEBIAN_ARCHITECTURES or platform.machine() != machine:
        return Obstacle(
            f"{whose} is a {machine}, this host a {platform.machine()}",
            hint="--base-source public",
        )
    if shutil.which("mmdebstrap", path=tool_path()) is None:
        return Obstacle(
            "mmdebstrap is not installed",
            hint="sandbox host setup --provider incus, or apt-get install mmdebstrap",
            could_be_mended=True,
        )
    return None


def build_root(
    recipe: Recipe,
    work: Path,
    log: Path,
    listener: Listener,
    *,
    routes: Routes | None = None,
    ahead: Ahead | None = None,
) -> Path:
    """Run mmdebstrap; afterwards the root's tarball and the package index are in `work`.

    Raises:
        HostError: no space is left.
        ProviderError: mmdebstrap failed; its last words are in the details.
    """
    name, shelf, folder = recipe.base.name, archives.shelf_of(recipe), work / "archives"
    log.unlink(missing_ok=True)
    loan = archives.borrow(shelf, folder)
    routes = Routes() if routes is None else routes
    root = _mmdebstrap(recipe, loan, work, log, listener, routes=routes, ahead=ahead)
    if wrong := loan.wrong():
        names = ", ".join(deb.name for deb in wrong[:3])
        text = f"kept packages are not those of the archive ({names}): built again without them"
        listener(Notice(name, text))
        archives.drop(wrong)
        root.unlink()
        loan = archives.borrow(shelf, folder, nothing=True)
        root = _mmdebstrap(recipe, loan, work, log, listener, routes=routes)
    try:
        loan.settle()
    except OSError as error:
        listener(Notice(name, f"its packages are not kept for the next build: {error}"))
    return root


def _mmdebstrap(
    recipe: Recipe,
    loan: archives.Loan,
    work: Path,
    log: Path,
    listener: Listener,
    *,
    routes: Routes,
    ahead: Ahead | None = None,
) -> Path:
    base, root = recipe.base, work / "rootfs.tar"
    unshare = os.geteuid() != 0
    told: list[str] = []

    def tell(line: str) -> None:
        if ahead is not None and line.startswith(_AHEAD):
            ahead.tell(line.removeprefix(_AHEAD))
        elif line.startswith(_TELLING) and "-hook" not in line and "special hook" not in line:
            told.append(line)
            listener(StepOutput(base.name, line))

    try:
        # In this folder, leftovers of a killed build are found again. The mapped root user of
        # `unshare` mode cannot enter a private folder: then the default folder must do
        place = {} if unshare else {"TMPDIR": str(work)}
        place[MARK] = str(work)
        environment = {**_environment(routes, recipe.sources.urls), **place}
        with authorities_file(routes) as authorities:
            trust = (f'--aptopt=Acquire::https::CaInfo "{authorities}"',) if authorities else ()
            asking = ahead.mmdebstrap_options if ahead is not None else ()
            argv = mmdebstrap_argv(
                recipe,
                rootfs=str(root),
                index=str(work / INDEX_NAME),
                unshare=unshare,
                extra=(*loan.mmdebstrap_options, *trust, *asking),
            )
            unsynced = () if unshare else _unsynced()
            run((*unsynced, *argv), timeout_s=_BUILD_S, env=environment, log=log, on_line=tell)
    except CommandError as error:
        raise _explain(error, base, log, told) from error
    return root


def _unsynced() -> tuple[str, ...]:
    """Words before a command of root, so that it does not wait: a cut-off build is never used."""
    return (sys.executable, "-IS", str(data_dir("templates") / "unsynced.py"))


def keep_index(work: Path, folder: Path) -> None:
    """Put the package index where `available_packages` finds it; its date is the file's date."""
    (work / INDEX_NAME).replace(folder / INDEX_NAME)


def _environment(routes: Routes, urls: tuple[str, ...]) -> dict[str, str]:
    environment = {"LC_ALL": "C.UTF-8", "PATH": tool_path()}
    if proxies := routes.variables(urls):
        return environment | proxies
    for scheme in ("http", "https"):
        name = f"{scheme}_proxy"
        if name not in os.environ and (proxy := host_proxy(scheme)):
            environment[name] = proxy
    return environment


def _explain(error: CommandError, base: Base, log: Path, told: list[str]) -> SandboxError:
    details = "\n".join(told[-20:]) or error.details
    message = f"cannot build the base image {base.name}"
    said = error.stderr + error.stdout
    if "No space left on device" in said:
        return HostError(f"{message}: no space left", details=details, hint=f"df -h {log.parent}")
    if "newuidmap" in said or "subuid" in said:
        return HostError(
            f"{message} as this user",
            details=details,
            hint="apt-get install uidmap, and a line for you in /etc/subuid and /etc/subgid; or "
            "use sudo",
        )
    unreachable = ("Could not resolve", "Unable to connect", "Could not connect", "timed out")
    if any(words in said for words in unreachable):
        return ProviderError(
            f"{message}: the Debian mirror cannot be reached",
            details=details,
            hint=f"is this host online, is a proxy needed? All that was said: {log}",
        )
    return ProviderError(message, details=details, hint=f"all that was said: {log}")
