"""What CRAN had on which day.

Each day has the versions of one release of Debian; where its source is not to be had, the next
older one, else the next newer. Between 2023-06-09 and 2023-06-12 some packages change, and one
goes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests.mirror.contents import Contents, Source
from tests.mirror.debian import SUITES


@dataclass(frozen=True)
class Day:
    """A day with a snapshot."""

    date: str
    suite: str
    newer: frozenset[str] = frozenset()
    """Packages that have the next release's version already."""
    archived: frozenset[str] = frozenset()
    """Packages that are only in Archive/."""


DAYS = (
    Day("2021-08-16", "bullseye"),
    Day("2023-06-09", "bookworm"),
    Day(
        "2023-06-12",
        "bookworm",
        newer=frozenset({"R6", "glue", "digest", "chainlast"}),
        archived=frozenset({"vanished"}),
    ),
    Day("2025-08-11", "trixie", archived=frozenset({"vanished"})),
)
LATEST = DAYS[-1].date

BIOCONDUCTOR = {"3.12": "bullseye", "3.16": "bookworm", "3.20": "trixie"}
"""Releases of Bioconductor: those of R 4.0, 4.2 and 4.5 (as Debian has them)."""


@dataclass(frozen=True)
class Snapshot:
    """The packages of one day, and the versions before them."""

    date: str
    current: tuple[Source, ...]
    archive: tuple[Source, ...]

    def named(self, file_name: str) -> Source | None:
        """Return the package whose tarball has this name, if it is a current one."""
        return _named(self.current, file_name)

    def archived(self, file_name: str) -> Source | None:
        """Return the package whose tarball has this name, if it is in the archive."""
        return _named(self.archive, file_name)


def day_of(date: str, *, today: str = LATEST) -> Day | None:
    """Return the day of a date: itself or the nearest one before it; None before the first."""
    before = [day for day in DAYS if day.date <= min(date, today)]
    return before[-1] if before else None


def snapshot(contents: Contents, day: Day) -> Snapshot:
    """List what CRAN had on a day."""
    current, archive = [], []
    cran = [source for source in contents.sources if not source.is_bioconductor]
    for name, versions in _by_name(cran):
        era = SUITES.index(day.suite) + (name in day.newer)
        chosen = _choose(versions, era)
        older = versions[: versions.index(chosen)]
        if name in day.archived:
            archive += [*older, chosen]
        else:
            current.append(chosen)
            archive += older
    return Snapshot(day.date, tuple(current), tuple(archive))


def bioconductor(contents: Contents, release: str) -> tuple[Source, ...]:
    """List the packages of a release of Bioconductor; empty when nobody knows it."""
    suite = BIOCONDUCTOR.get(release)
    return tuple(
        source for source in contents.sources if source.is_bioconductor and source.suite == suite
    )


def _by_name(sources: Iterable[Source]) -> Iterator[tuple[str, list[Source]]]:
    """Yield each package with its different versions, oldest first."""
    found: dict[str, dict[str, Source]] = {}
    for source in sorted(sources, key=lambda one: SUITES.index(one.suite)):
        described = source.description
        found.setdefault(described.name, {}).setdefault(described.version, source)
    for name in sorted(found):
        yield name, list(found[name].values())


def _choose(versions: list[Source], era: int) -> Source:
    old_enough = [one for one in versions if SUITES.index(one.suite) <= era]
    return old_enough[-1] if old_enough else versions[0]


def _named(sources: Iterable[Source], file_name: str) -> Source | None:
    for source in sources:
        described = source.description
        if file_name == f"{described.name}_{described.version}.tar.gz":
            return source
    return None
