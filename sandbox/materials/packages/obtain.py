"""The R packages of a plan: resolved, fetched, looked into, and put in order, for each of its Rs.

Restored exactly, or refused with the reason: no version is put in another one's place, and what
the packages need of each other is compared before a machine is touched.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from sandbox.errors import BoxError, HostError
from sandbox.fetch.errors import AbsentFileError
from sandbox.materials.packages.dcf import MAX_INDEX_BYTES, BrokenRecordsError
from sandbox.materials.packages.getting import Demands, Fetching, Got, Tell, get_all
from sandbox.materials.packages.index import Index
from sandbox.materials.packages.local import NoPackageError, beside_lock, local_packages, take
from sandbox.materials.packages.lock_findings import misfit_with_r
from sandbox.materials.packages.renv_lock import read_renv_lock
from sandbox.materials.packages.repositories import PackageSource, Repository, Target
from sandbox.materials.packages.resolve import CircleError, choose, in_order, unmet
from sandbox.materials.packages.wishes import Wish, from_index, from_lock
from sandbox.materials.packages.with_r import (
    Architecture,
    PackagesOfR,
    own_architecture,
    rs_of,
)
from sandbox.materials.sysreqs.rules import build_tools, matching, without_package
from sandbox.obtained import Materials, Obtained
from sandbox.plan import Plan
from sandbox.spec.base_models import Base
from sandbox.spec.problem import code, short


def obtain(
    plan: Plan,
    fetcher: Fetching,
    tell: Tell,
    *,
    architecture: Architecture | None = None,
    rs: Iterable[PackagesOfR] | None = None,
) -> Materials:
    """Fetch the packages of every R of a plan.

    Args:
        plan: what the machine must be.
        fetcher: fetches into the store.
        tell: told of the progress, a line at a time.
        architecture: the machine's; that of this host when None.
        rs: the Rs, with what is wanted for each; as the plan says it when None.

    Raises:
        BoxError: what the box asks for cannot be had, or does not fit together.
        HostError: a repository cannot be reached.
    """
    files, debian = list[Obtained](), set[str]()
    for r in rs_of(plan) if rs is None else rs:
        target = Target(plan.base.suite, architecture or own_architecture(), r.version)
        work = _PackageWork(plan, r, target, fetcher, tell)
        got = work.get()
        files += work.files(got)
        debian |= _debian_packages(plan.base, r, got, tell)
    files.sort(key=lambda one: (one.kind, one.r, one.name))
    return Materials(files=tuple(files), debian_packages=tuple(sorted(debian)))


def _debian_packages(base: Base, r: PackagesOfR, got: Sequence[Got], tell: Tell) -> set[str]:
    """The distribution's packages that these need: libraries, and compilers where one is source."""
    _, _, release = base.name.partition("-")
    found = set[str]()
    for one in got:
        words = one.file.system_requirements
        found.update(matching(words, base.distribution, release))
        for need in without_package(words, base.distribution, release):
            tell(f"R packages: {one.wish.name} needs {need}, and {base.name} has no package of it")
    if any(not one.is_binary for one in got):
        found.update(build_tools(is_debians_r=r.is_debians))
    return found


class _PackageWork:
    """The packages of one R."""

    def __init__(
        self, plan: Plan, r: PackagesOfR, target: Target, fetcher: Fetching, tell: Tell
    ) -> None:
        self._plan, self._r, self._target = plan, r, target
        self._fetcher, self._tell = fetcher, tell
        self._packages = r.packages
        self._demands = Demands(target, takes_binaries=r.packages.takes_binaries)
        self._place = r.source.place if r.source is not None else str(plan.box_path.name)

    def get(self) -> list[Got]:
        """Get the files of all packages, and see that they fit together."""
        got = self._from_source()
        self._check(got)
        return got

    def _from_source(self) -> list[Got]:
        match self._packages.source:
            case "repository":
                return self._from_repository(self._packages.names)
            case "renv":
                return self._from_lock()
            case "folder":
                return self._from_folder()
            case "debian":
                return []

    def files(self, got: Sequence[Got]) -> Iterator[Obtained]:
        """Describe the files for the plan."""
        versions = {one.wish.name: one.file.version for one in got}
        for one in got:
            name = one.wish.name
            yield Obtained(
                kind="r_package",
                name=name,
                version=one.file.version,
                file_name=f"{name}_{one.file.version}.{one.fetched.sha256[:12]}.tar.gz",
                url=one.fetched.url,
                sha256=one.fetched.sha256,
                size_bytes=one.fetched.size_bytes,
                r=self._r.version,
                is_binary=one.is_binary,
                needs=tuple(sorted({n.name for n in one.file.needs if n.name in versions})),
                linked_to=tuple(
                    sorted(f"{n} {versions[n]}" for n in one.file.links_to if n in versions)
                ),
                remote=one.wish.remote,
            )

    # From a repository

    def _from_repository(self, names: Iterable[str]) -> list[Got]:
        repository = Repository.of(self._packages.repository or "", self._packages.date)
        self._tell(f"R packages: reading the index of {repository.base}")
        index, binaries, sources = self._open(repository)
        chosen = choose(
            names,
            index,
            r_version=self._r.version,
            with_r=self._r.has,
            may_skip=self._packages.if_missing == "skip",
        )
        if chosen.problems:
            when = f" of {repository.snapshot}" if repository.snapshot else ""
            raise BoxError(
                f"the packages of R {self._r.version} cannot all come from {repository.base}{when}",
                details="\n".join(chosen.problems),
                hint="correct the names or the date; nothing was changed",
            )
        if chosen.left_out:
            self._tell(f"R packages: left out, not in the repository: {', '.join(chosen.left_out)}")
        wishes = [from_index(one, repository, binaries, sources) for one in chosen.records]
        return get_all(wishes, self._fetcher, self._demands, self._tell)

    def _open(
        self, repository: Repository
    ) -> tuple[Index, tuple[PackageSource, ...], tuple[PackageSource, ...]]:
        """Read the index, and find out where the repository has binaries.

        Raises:
            BoxError: there is no repository.
        """
        binaries = tuple(self._binaries(repository)) if self._packages.takes_binaries else ()
        sources = repository.sources()
        for source in (*sources, *binaries):
            index = self._index(source, dated=repository.is_dated)
            if index is not None:
                return index, binaries, sources
        when = f" with a snapshot of {repository.snapshot}" if repository.is_dated else ""
        raise BoxError(
            f"there is no repository of R packages{when} at {repository.base}",
            details=f"asked for: {sources[0].url('PACKAGES.gz')}",
            hint="see `repository` and `date` in the box; a plain mirror of CRAN has no dates",
        )

    def _binaries(self, repository: Repository) -> Iterator[PackageSource]:
        first, second, third = repository.binaries(self._target)
        if self._fetcher.exists(first.url("PACKAGES.gz")):
            yield first
        if self._fetcher.exists(second.url("PACKAGES.gz")):
            yield second
            yield third

    def _index(self, source: PackageSource, *, dated: bool) -> Index | None:
        for name in ("PACKAGES.gz", "PACKAGES"):
            url = source.url(name)
            try:
                data = self._fetcher.read(
                    url, max_bytes=MAX_INDEX_BYTES, headers=source.headers, dated=dated
                )
                return Index.of(data)
            except AbsentFileError:
                continue
            except BrokenRecordsError as error:
                raise HostError(f"{url} cannot be read: {error}") from error
        return None

    # From a lock file

    def _from_lock(self) -> list[Got]:
        assert self._r.source is not None  # noqa: S101  (a plan with this source has a lock)
        lock = read_renv_lock(self._r.source.path)
        if misfit := misfit_with_r(lock, self._r.version):
            where = f"{self._place}: {lock.place()}"
            raise BoxError(f"{where} {misfit.says}", details=misfit.why, hint=misfit.cure)
        said = self._packages.repository
        wanted = from_lock(
            lock,
            self._target,
            instead=Repository.of(said, self._packages.date) if said else None,
            takes_binaries=self._packages.takes_binaries,
        )
        own, problems = list[Got](), list[str]()
        for locked, why in wanted.local:
            path = beside_lock(lock.path, locked.name, locked.version)
            if path is None:
                where = f"put it at renv/cellar/{locked.name}_{locked.version}.tar.gz"
                problems.append(f"{lock.place(locked)}: {locked.name}: {why}; {where}")
            else:
                try:
                    wish = Wish(locked.name, locked.version, (), f"{lock.place(locked)}: ")
                    own.append(take(path, self._fetcher.store, self._demands, wish))
                except NoPackageError as error:
                    problems.append(f"{lock.place(locked)}: {short(path)}: {error}")
        if problems:
            raise BoxError(
                "packages of the lock file cannot be had",
                details="\n".join(problems),
                hint="nothing was changed",
            )
        return [*own, *get_all(wanted.wishes, self._fetcher, self._demands, self._tell)]

    # From a folder

    def _from_folder(self) -> list[Got]:
        assert self._r.source is not None  # noqa: S101  (a plan with this source has a folder)
        found = local_packages(self._r.source.path, self._fetcher.store, self._demands, self._place)
        by_name = {one.wish.name: one for one in found}
        absent = [name for name in self._packages.names if name not in by_name]
        if absent:
            raise BoxError(
                f"{self._place}: the folder does not have {', '.join(map(code, absent))}",
                details=f"it has {', '.join(sorted(by_name))}",
                hint="correct `names`, or leave it out for all that the folder has",
            )
        wanted = self._with_needs(by_name, self._packages.names or by_name)
        got = [by_name[name] for name in wanted]
        outside = {
            one.name
            for package in got
            for one in package.file.needs
            if one.name not in by_name and one.name not in self._r.has and one.name != "R"
        }
        if not outside or self._packages.repository is None:
            return got
        more = self._from_repository(sorted(outside))
        return [*got, *(one for one in more if one.wish.name not in by_name)]

    @staticmethod
    def _with_needs(by_name: dict[str, Got], names: Iterable[str]) -> list[str]:
        wanted, waiting = set[str](), list(names)
        while waiting:
            name = waiting.pop()
            if name in by_name and name not in wanted:
                wanted.add(name)
                waiting += [one.name for one in by_name[name].file.needs]
        return sorted(wanted)

    # Together

    def _check(self, got: Sequence[Got]) -> None:
        """See that all that the packages need is there, at versions that will do.

        Raises:
            BoxError: it is not; every lack is named.
        """
        versions = {one.wish.name: one.file.version for one in got}
        problems = list[str]()
        for one in got:
            # A binary has what it was linked to inside
            needs = [
                n for n in one.file.needs if not (one.is_binary and n.name in one.file.links_to)
            ]
            problems += unmet(
                f"{one.wish.place}{one.wish.name} {one.file.version}",
                needs,
                versions.get,
                r_version=self._r.version,
                with_r=self._r.has,
            )
        try:
            in_order({one.wish.name: [n.name for n in one.file.needs] for one in got})
        except CircleError as error:
            problems.append(str(error))
        if problems:
            raise BoxError(
                f"{self._place}: the packages of R {self._r.version} do not fit together",
                details="\n".join(dict.fromkeys(problems)),
                hint=_CURES[self._packages.source],
            )


_CURES: Final = {
    "debian": "",
    "repository": "choose another `date`: a day's snapshot fits together; nothing was changed",
    "renv": "lock anew with all of them: in R, renv::snapshot(); nothing was changed",
    "folder": "add them to the folder, or name a `repository` beside it; nothing was changed",
}
