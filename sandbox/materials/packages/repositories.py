"""The addresses of a CRAN-like repository: a package manager's with its dates, or a mirror's.

A package manager has compiled packages for Linux under three forms of address; the one that needs
no special request is tried first, since a plain download and a proxy understand it.
"""

import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import quote

from sandbox.materials.packages.versions import Version
from sandbox.materials.packages.with_r import Architecture
from sandbox.obtained import Obtained
from sandbox.spec.base_models import Base

LATEST: Final = "latest"
_SNAPSHOT: Final = re.compile(r"(?P<base>.*?)/(?P<snapshot>[0-9]{4}-[0-9]{2}-[0-9]{2}|latest)/*")
_LINUX: Final = re.compile(r"(?P<base>.*?)/__linux__/[a-z0-9_.-]+(?P<rest>/.*)?")
_BIN_LINUX: Final = re.compile(r"(?P<base>.*)/bin/linux/[^/]+/[0-9.]+")


@dataclass(frozen=True)
class Target:
    """What a binary must fit: the machine's release and architecture, and its R."""

    codename: str
    """Of the distribution's release: bookworm."""
    architecture: Architecture
    r_version: str
    """Complete: 4.2.2."""

    @property
    def r_minor(self) -> str:
        """The first two numbers: 4.2."""
        return Version(self.r_version).minor

    @property
    def user_agent(self) -> str:
        """What R itself says to a repository, by which a package manager knows its binaries."""
        platform = f"{self.architecture}-pc-linux-gnu {self.architecture} linux-gnu"
        return f"R/{self.r_version} R ({self.r_version} {platform})"


def headers_for(file: Obtained, base: Base) -> Mapping[str, str]:
    """Return what to say when a file is fetched again: a manager may give R alone binaries."""
    if file.kind != "r_package" or not file.is_binary:
        return {}
    architecture: Architecture = "aarch64" if platform.machine() == "aarch64" else "x86_64"
    return {"User-Agent": Target(base.suite, architecture, file.r).user_agent}


@dataclass(frozen=True)
class PackageSource:
    """A folder of a repository, `.../src/contrib`, and how its files are asked for."""

    folder: str
    has_binaries: bool = False
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def url(self, file: str) -> str:
        """Return the address of a file in it."""
        return f"{self.folder}/{quote(file)}{self.query}"


@dataclass(frozen=True)
class Repository:
    """A repository as a box or a lock file names it."""

    base: str
    """Without a date, and without a distribution: https://packages.example/cran."""
    snapshot: str = ""
    """A date, `latest`, or nothing when the address says none."""

    @classmethod
    def of(cls, url: str, date: str | None = None) -> Self:
        """Take an address apart; a `date` wins over the one in it."""
        url = url.rstrip("/")
        if found := _BIN_LINUX.fullmatch(url):
            url = found["base"]
        if found := _LINUX.fullmatch(url):
            # Another machine's distribution: ours is put in its place
            url = found["base"] + (found["rest"] or "").rstrip("/")
        said = ""
        if found := _SNAPSHOT.fullmatch(url):
            url, said = found["base"], found["snapshot"]
        return cls(url, date or said)

    @property
    def is_dated(self) -> bool:
        """Whether it never changes."""
        return self.snapshot not in {"", LATEST}

    def binaries(self, target: Target) -> tuple[PackageSource, ...]:
        """List the places where a package manager has compiled packages, best first."""
        snapshot = self.snapshot or LATEST
        place = f"bin/linux/{target.codename}-{target.architecture}/{target.r_minor}/src/contrib"
        old = f"{self.base}/__linux__/{target.codename}/{snapshot}/src/contrib"
        query = f"?r_version={target.r_minor}&arch={target.architecture}"
        return (
            PackageSource(f"{self.base}/{snapshot}/{place}", has_binaries=True),
            PackageSource(old, has_binaries=True, query=query),
            PackageSource(old, has_binaries=True, headers={"User-Agent": target.user_agent}),
        )

    def sources(self) -> tuple[PackageSource, ...]:
        """List the places of source packages, best first."""
        plain = PackageSource(f"{self.base}/src/contrib")
        latest = PackageSource(f"{self.base}/{LATEST}/src/contrib")
        if self.is_dated:
            return (PackageSource(f"{self.base}/{self.snapshot}/src/contrib"),)
        return (latest, plain) if self.snapshot == LATEST else (plain, latest)

    def archived(self, name: str, version: str) -> tuple[str, ...]:
        """List the addresses of one version of a package's source, wherever it may be by now."""
        file = quote(f"{name}_{version}.tar.gz")
        folders = [one.folder for one in self.sources()]
        folders += [f"{self.base}/{LATEST}/src/contrib", f"{self.base}/src/contrib"]
        folders = list(dict.fromkeys(folders))
        return (
            *(f"{folder}/{file}" for folder in folders),
            *(f"{folder}/Archive/{quote(name)}/{file}" for folder in folders),
        )


BIOCONDUCTOR: Final = "https://bioconductor.org"
_BIOCONDUCTOR_PARTS: Final = ("bioc", "data/annotation", "data/experiment", "workflows", "books")
R_OF_BIOCONDUCTOR: Final = {
    **dict.fromkeys(("3.9", "3.10"), "3.6"),
    **dict.fromkeys(("3.11", "3.12"), "4.0"),
    **dict.fromkeys(("3.13", "3.14"), "4.1"),
    **dict.fromkeys(("3.15", "3.16"), "4.2"),
    **dict.fromkeys(("3.17", "3.18"), "4.3"),
    **dict.fromkeys(("3.19", "3.20"), "4.4"),
    **dict.fromkeys(("3.21", "3.22"), "4.5"),
    **dict.fromkeys(("3.23",), "4.6"),
}
"""The minor version of R that each release of Bioconductor is for."""


def bioconductor(name: str, version: str, release: str) -> tuple[str, ...]:
    """List the addresses of a package of a release of Bioconductor."""
    file = quote(f"{name}_{version}.tar.gz")
    folders = [
        f"{BIOCONDUCTOR}/packages/{quote(release)}/{part}/src/contrib"
        for part in _BIOCONDUCTOR_PARTS
    ]
    return (
        *(f"{folder}/{file}" for folder in folders),
        *(f"{folder}/Archive/{quote(name)}/{file}" for folder in folders),
    )
