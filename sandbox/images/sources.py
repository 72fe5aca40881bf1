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

_COLUMNS = "$(CREATED_BY)\t$(REPO_URI)\t$(RELEASE)\t$(COMPONENT)"


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
            ("apt-get", "indextargets", "--no-release-info", "--format", _COLUMNS), timeout_s=120
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


def choose_sources(base: Base, mirror: Mirror | None, archives: Iterable[Archive]) -> Sources:
    """Choose the box's mirror if it names one, else the host's for that suite, else the default."""
    if mirror is not None:
        wanted = [
            Archive(mirror.debian, base.suite, "main"),
            Archive(mirror.debian, f"{base.suite}-updates", "main"),
        ]
        if mirror.security is not None:
            wanted.append(Archive(mirror.security, f"{base.suite}-security", "main"))
        whose = "the mirror of the box or of your settings"
    else:
        suites = (base.suite, f"{base.suite}-updates", f"{base.suite}-security")
        wanted = [
            archive
            for suite in suites
            for archive in archives
            if archive.suite == suite and archive.component == "main"
        ]
        whose = "this host's mirror"
    if not any(archive.suite == base.suite for archive in wanted):
        return Sources()
    for archive in wanted:
        if why := unusable(archive.uri):
            return Sources(note=f"{whose} is not used for the base image: {why}")
    if not KEYRING.exists():
        return Sources(note=f"{whose} is not used for the base image: {KEYRING} is missing here")
    return Sources(
        tuple(
            f"deb [signed-by={KEYRING}] {archive.uri} {archive.suite} {archive.component}"
            for archive in wanted
        )
    )


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
