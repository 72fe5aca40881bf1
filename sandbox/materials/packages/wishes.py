"""A package that is wanted, and the ways to its file, best first."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sandbox.materials.packages.index import IndexRecord
from sandbox.materials.packages.remotes import NoAddressError, remote_urls
from sandbox.materials.packages.renv_lock import RenvLock, RenvPackage
from sandbox.materials.packages.repositories import PackageSource, Repository, Target, bioconductor


@dataclass(frozen=True)
class Way:
    """Addresses of the same file, asked for in the same manner."""

    urls: tuple[str, ...]
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Wish:
    """A package at one version."""

    name: str
    version: str
    ways: tuple[Way, ...]
    place: str = ""
    """Where it is asked for, `renv.lock:12: `; empty when a repository's index says so."""
    folder: str = ""
    """The package's folder in the file, where that is not the top one."""
    remote: tuple[tuple[str, str], ...] = ()
    """Fields for its installed DESCRIPTION, sorted."""


def from_index(
    record: IndexRecord,
    repository: Repository,
    binaries: Sequence[PackageSource],
    sources: Sequence[PackageSource],
) -> Wish:
    """Make the wish for a package of an index."""
    plain = f"{record.name}_{record.version}.tar.gz"
    ways = [Way((one.url(plain),), one.headers) for one in binaries]
    urls = [f"{one.folder}/{record.file}" for one in sources]
    urls += repository.archived(record.name, record.version)
    return Wish(record.name, record.version, (*ways, Way(tuple(dict.fromkeys(urls)))))


@dataclass(frozen=True)
class LockWishes:
    """The packages of a lock file, and what is wrong with it."""

    wishes: tuple[Wish, ...]
    local: tuple[tuple[RenvPackage, str], ...]
    """Packages that are nowhere but beside the lock file, each with why."""


def from_lock(
    lock: RenvLock, target: Target, *, instead: Repository | None, takes_binaries: bool
) -> LockWishes:
    """Make the wishes for all packages of a lock file.

    Args:
        lock: the lock file.
        target: what binaries must fit.
        instead: the repository that the box names, in place of those in the lock.
        takes_binaries: whether packages that are compiled already will do.
    """
    wishes, local = [], []
    for one in lock.packages:
        ways = list[Way]()
        folder = ""
        try:
            if one.source == "Repository":
                found = (instead,) if instead is not None else _repositories(lock, one)
                ways += _ways(one, found, target, takes_binaries=takes_binaries)
            elif one.source == "Bioconductor":
                ways.append(Way(bioconductor(one.name, one.version, lock.bioconductor)))
            elif one.source in {"Local", "unknown"}:
                local.append((one, f"its source is {one.source}"))
                continue
            else:
                ways.append(Way(remote_urls(one.source, one.fields)))
                folder = one.fields.get("RemoteSubdir", "").strip("/")
        except NoAddressError as error:
            local.append((one, str(error)))
            continue
        remote = one.remote if one.source not in {"Repository", "Bioconductor"} else ()
        place = f"{lock.place(one)}: "
        wishes.append(Wish(one.name, one.version, tuple(ways), place, folder, remote))
    return LockWishes(tuple(wishes), tuple(local))


_ALIKE = frozenset({"cran", "rspm", "ppm", "p3m"})
"""Names of one and the same thing, whichever the lock uses."""


def _repositories(lock: RenvLock, locked: RenvPackage) -> tuple[Repository, ...]:
    """The repositories that may have a package, the one that its record names first.

    Raises:
        NoAddressError: the lock names none.
    """
    if locked.repository.startswith(("http://", "https://")):
        first = [locked.repository]
    else:
        word = locked.repository.lower()
        first = [
            url
            for name, url in lock.repositories
            if name.lower() == word or (word in _ALIKE and name.lower() in _ALIKE)
        ]
    urls = [*first, *(url for _, url in lock.repositories)]
    found = [Repository.of(one) for one in dict.fromkeys(urls) if one.startswith("http")]
    if not found:
        raise NoAddressError("the lock names no repository with an http address for it")
    return tuple(dict.fromkeys(found))


def _ways(
    locked: RenvPackage,
    repositories: Sequence[Repository],
    target: Target,
    *,
    takes_binaries: bool,
) -> Iterator[Way]:
    plain = f"{locked.name}_{locked.version}.tar.gz"
    for one in repositories:
        # Of a plain mirror no address has binaries; a box that names a manager says so
        if takes_binaries and one.snapshot:
            for source in one.binaries(target):
                yield Way((source.url(plain),), source.headers)
    urls = [url for one in repositories for url in one.archived(locked.name, locked.version)]
    yield Way(tuple(dict.fromkeys(urls)))
