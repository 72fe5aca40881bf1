"""Choose the Debian mirror for a base image; never one that carries a secret."""

import ipaddress
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from sandbox.errors import CommandError, HostError
from sandbox.images.recipe import Sources
from sandbox.run import run
from sandbox.spec.base_models import Base
from sandbox.spec.models import Mirror

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
"""Debian's own keys: part of every Debian; on Ubuntu, package debian-archive-keyring."""

UBUNTU_KEYRING = Path("/usr/share/keyrings/ubuntu-archive-keyring.gpg")
"""Ubuntu's keys: part of every Ubuntu; on Debian, package ubuntu-archive-keyring."""

_COLUMNS = "$(CREATED_BY)\t$(REPO_URI)\t$(RELEASE)\t$(COMPONENT)"
_NO_LISTS = "Dir::State::lists=/nonexistent/"
"""The sources alone are asked for. With its lists apt reads each whole Release file before."""


ArchivesAnswer = Callable[[], "tuple[Archive, ...]"]
"""`host_archives`, or its answer when apt was asked before."""


@dataclass(frozen=True)
class Archive:
    """One suite of one mirror, as the host's apt knows it."""

    uri: str
    suite: str
    component: str


def host_archives() -> tuple[Archive, ...]:
    """List the archives that this host's apt uses; empty where there is no apt.

    Raises:
        HostError: apt does not answer. Silence must not count as an answer: the sources are part
            of a base image's name, and so of every baked image's.
    """
    try:
        done = run(
            ("apt-get", "indextargets", "-o", _NO_LISTS, "--no-release-info", "--format", _COLUMNS),
            timeout_s=120,
        )
    except CommandError as error:
        if error.returncode is None:
            raise HostError(
                "this host's apt does not answer",
                details=error.details or error.message,
                hint="is the host very busy? Try again",
            ) from error
        # No apt, or a broken one: mmdebstrap's own choice needs neither
        return ()
    rows = (line.split("\t") for line in done.stdout.splitlines())
    return tuple(
        dict.fromkeys(Archive(*row[1:]) for row in rows if len(row) == 4 and row[0] == "Packages")  # noqa: PLR2004
    )


@contextmanager
def archives_ahead() -> Iterator[ArchivesAnswer]:
    """Ask apt in the background; the yielded function waits for the answer."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(host_archives).result


class NoMirrorError(HostError):
    """No mirror of that distribution is known here, so that its root cannot be built."""


def choose_sources(base: Base, mirror: Mirror | None, archives: Iterable[Archive]) -> Sources:
    """Choose the box's mirror if it names one, else the host's for that suite, else the default.

    Raises:
        NoMirrorError: the base is Ubuntu's, and neither the box nor this host names a mirror of it.
        HostError: the keys by which the mirror's packages are verified are not here.
    """
    named = mirror.of(base.distribution) if mirror is not None else None
    whose = (
        "the mirror of the box or of your settings" if named is not None else "this host's mirror"
    )
    wanted = (
        _named_archives(base, named, mirror.security if mirror is not None else None)
        if named is not None
        else _host_archives_of(base, archives)
    )
    is_ubuntu = base.distribution == "ubuntu"
    if not any(archive.suite == base.suite for archive in wanted):
        if is_ubuntu:
            raise NoMirrorError(
                f"the base image {base.name} cannot be built: this host knows no Ubuntu mirror",
                hint="name one in the box (system: {mirror: {ubuntu: URL}}), or take the public "
                "image: --base-source public",
            )
        return Sources()
    for archive in wanted:
        if why := unusable(archive.uri):
            if is_ubuntu:
                raise NoMirrorError(f"{whose} cannot be used for {base.name}: {why}")
            return Sources(note=f"{whose} is not used for the base image: {why}")
    keyring = UBUNTU_KEYRING if is_ubuntu else KEYRING
    if not keyring.exists():
        if is_ubuntu:
            raise HostError(
                f"the base image {base.name} cannot be built: {keyring} is missing, the keys "
                "by which Ubuntu's packages are verified",
                hint="sudo apt-get install ubuntu-archive-keyring (Debian 12 has it in "
                "bookworm-backports: add `-t bookworm-backports`)",
            )
        return Sources(note=f"{whose} is not used for the base image: {keyring} is missing here")
    return Sources(
        tuple(
            f"deb [signed-by={keyring}] {archive.uri} {archive.suite} {archive.component}"
            for archive in wanted
        )
    )


COMPONENTS = {"debian": ("main",), "ubuntu": ("main", "universe")}
"""By distribution: where R and all that a box can ask for are."""


def _named_archives(base: Base, uri: str, security: str | None) -> list[Archive]:
    """The suites of a box's mirror; Ubuntu's has those of security too."""
    if base.distribution == "ubuntu":
        places = [(uri, ""), (uri, "-updates"), (security or uri, "-security")]
    else:
        places = [(uri, ""), (uri, "-updates"), *([(security, "-security")] if security else [])]
    return [
        Archive(place, f"{base.suite}{suffix}", " ".join(COMPONENTS[base.distribution]))
        for place, suffix in places
    ]


def _host_archives_of(base: Base, archives: Iterable[Archive]) -> list[Archive]:
    """The suites of that release which this host's own apt uses."""
    known = list(archives)
    suites = (base.suite, f"{base.suite}-updates", f"{base.suite}-security")
    return [
        archive
        for suite in suites
        for archive in known
        if archive.suite == suite and archive.component in COMPONENTS[base.distribution]
    ]


def unusable(uri: str) -> str:
    """Say why a machine could not, or must not, use this mirror; empty when it may.

    The text never repeats the address, which may hold a password.
    """
    try:
        parts = urlsplit(uri)
        host = parts.hostname or ""
    except ValueError:
        return "its address cannot be read"
    if parts.scheme not in ("http", "https"):
        return f"{parts.scheme or 'its address'} works on this host only"
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        return "its address carries a login, which must not get into an image"
    if parts.query or parts.fragment or any(char.isspace() or char in "[]" for char in uri):
        return "its address is not a plain URL"
    if host == "localhost" or host.endswith(".localhost"):
        return "it is on this host's loopback address"
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    return "it is on this host's loopback address" if loopback else ""


def host_proxy(scheme: str) -> str | None:
    """Return the proxy of this host's apt: for the build alone, never written into the image."""
    try:
        done = run(("apt-config", "shell", "proxy", f"Acquire::{scheme}::Proxy"), timeout_s=10)
    except CommandError:
        return None
    value = done.stdout.strip().removeprefix("proxy=").strip("'\"")
    return value if value and value != "DIRECT" else None
