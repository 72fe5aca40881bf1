"""Which builds of R Posit has for a base, as far as this host can know without asking.

From rstudio/r-builds and r-lib/rig, August 2026. Which versions there really are, only Posit's
server knows: its list of versions is one for all distributions.
"""

from dataclasses import dataclass
from typing import Final

from sandbox.spec.base_models import Base

PORTABLE: Final = "manylinux_2_34"
"""The folder of the portable build, for every distribution with glibc 2.34 or later."""


@dataclass(frozen=True)
class PositBuilds:
    """What Posit builds for one release of a distribution."""

    folder: str
    """Its name in Posit's addresses."""
    last: str | None = None
    """The last R that was built for it; None where newer ones still come."""
    runs_portable: bool = True
    """Whether the portable build runs there."""

    def has_own(self, version: str) -> bool:
        """Tell whether Posit may have a build of that R for this very release."""
        return self.last is None or not _is_later(version, self.last)

    def is_portable(self, version: str) -> bool:
        """Tell whether that R can only be the portable build."""
        return self.runs_portable and not self.has_own(version)


_BUILDS: Final = {
    ("debian", "bullseye"): PositBuilds("debian-11", last="4.5.0", runs_portable=False),
    ("debian", "bookworm"): PositBuilds("debian-12", last="4.6.0"),
    ("debian", "trixie"): PositBuilds("debian-13"),
    ("ubuntu", "jammy"): PositBuilds("ubuntu-2204"),
    ("ubuntu", "noble"): PositBuilds("ubuntu-2404"),
}


def posit_builds(base: Base) -> PositBuilds | None:
    """Return what Posit builds for a base; None when it builds nothing."""
    return _BUILDS.get((base.distribution, base.suite))


def deb_name(version: str, architecture: str) -> str:
    """Name the file of a build; the portable one has the same name in another folder."""
    return f"r-{version}_1_{architecture}.deb"


def _is_later(version: str, other: str) -> bool:
    """Whether one version is later; a daily build is later than all."""
    if not version[:1].isdigit():
        return True
    return _numbers(version) > _numbers(other)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
