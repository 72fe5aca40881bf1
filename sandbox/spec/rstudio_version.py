"""Versions of RStudio Server, and what follows from one: the R that it can draw with, its package.

The names of the releases are dates, `2024.12.1+563`: year, month, patch, build.
"""

import re
from typing import Final, NamedTuple

from sandbox.spec.texts import RSTUDIO_VERSION


class RstudioVersion(NamedTuple):
    """A version; a later one is greater."""

    year: int
    month: int
    patch: int = 0
    build: int = 0

    def __str__(self) -> str:
        """As the project writes it."""
        return f"{self.year}.{self.month:02d}.{self.patch}+{self.build}"

    @property
    def release(self) -> str:
        """Without the build: `2024.12.1`."""
        return f"{self.year}.{self.month:02d}.{self.patch}"


def parse_rstudio(text: str) -> RstudioVersion:
    """Read `2024.12.1+563`.

    Raises:
        ValueError: it is something else.
    """
    if re.fullmatch(RSTUDIO_VERSION, text) is None:
        raise ValueError(text)
    year, month, rest = text.split(".")
    patch, build = rest.split("+")
    return RstudioVersion(int(year), int(month), int(patch), int(build))


# R's graphics engine, the first R minor that has it, and the first RStudio that knows it; R that
# is newer than RStudio's engine has no Plots pane (rstudio/rstudio#16138, #7277, #8383)
_ENGINES: Final[tuple[tuple[int, tuple[int, int], RstudioVersion], ...]] = (
    (14, (4, 1), RstudioVersion(2021, 9)),
    (15, (4, 2), RstudioVersion(2022, 2)),
    (16, (4, 3), RstudioVersion(2023, 3)),
    (17, (4, 6), RstudioVersion(2025, 9)),
)

FOCAL_LAST: Final = RstudioVersion(2024, 12, 0, 467)
"""The last version that was built for OpenSSL 1.1 (focal), which Debian 11 has."""
CHECK_CONFIG_FIRST: Final = RstudioVersion(2026, 6)
"""The first with `rstudio-server check-config`."""
_SUGGESTED: Final = (((4, 6), "2026.06.0+242"), ((4, 5), "2025.09.2+418"))
"""For an R of that minor version or a later one."""
_SUGGESTED_BEFORE: Final = "2024.12.0+467"


def engine_of(r: tuple[int, int]) -> int:
    """The graphics engine of an R, by its major and minor version; 0 for one before R 4.1."""
    return max((engine for engine, first, _ in _ENGINES if r >= first), default=0)


def first_for(r: tuple[int, int]) -> RstudioVersion | None:
    """The first RStudio that draws with this R; None: every one that a box can name."""
    engine = engine_of(r)
    return next((rstudio for number, _, rstudio in _ENGINES if number == engine), None)


def newest_r_below(version: RstudioVersion) -> str:
    """Name the R versions that this RStudio draws with: `4.5`, the newest minor."""
    beyond = [first for _, first, rstudio in _ENGINES if rstudio > version]
    if not beyond:
        return ""
    major, minor = min(beyond)
    return f"{major}.{minor - 1}"


def suggested_for(r: tuple[int, int]) -> str:
    """Name a version of RStudio Server that draws with this R."""
    return next((text for first, text in _SUGGESTED if r >= first), _SUGGESTED_BEFORE)


def is_version(installed: str, wanted: str) -> bool:
    """Tell whether an installed package has the wanted version; it may say more, `+ours1`."""
    rest = installed.removeprefix(wanted)
    return installed.startswith(wanted) and not rest[:1].isdigit()
