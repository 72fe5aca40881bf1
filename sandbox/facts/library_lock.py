"""The packages of an R as it was seen, as an renv.lock: each at its version, and from where."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sandbox.facts.r_view import RPackage, RView
from sandbox.probe.untaken import is_placeholder
from sandbox.spec.fits import fits
from sandbox.spec.texts import RepoName, RepoUrl
from sandbox.spec.texts import RPackage as PackageName

_CRAN: Final = "https://cloud.r-project.org"
_REMOTE: Final = re.compile(
    r"(?P<kind>github|gitlab|bitbucket):(?P<owner>[A-Za-z0-9][A-Za-z0-9._-]*)"
    r"/(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)@(?P<sha>[0-9a-f]{40})"
)
_KINDS: Final = {"github": "GitHub", "gitlab": "GitLab", "bitbucket": "Bitbucket"}
_HOSTS: Final = {
    "github": "api.github.com",
    "gitlab": "gitlab.com",
    "bitbucket": "api.bitbucket.org/2.0",
}
_BIOCONDUCTOR: Final = re.compile(
    r"(?:BioC|Bioconductor)(?:soft|ann|exp)?(?: (?P<release>\d\.\d+))?"
)
_RELEASE: Final = re.compile(r"\d+\.\d+")


@dataclass(frozen=True)
class LibraryLock:
    """The lock of a library, and what it cannot say."""

    text: str
    """The content of the file."""
    names: frozenset[str]
    """The packages in it."""
    left_out: tuple[str, ...]
    """`NAME VERSION (LIBRARY): why` of the others."""
    without_repositories: tuple[str, ...] = ()
    """The names of repositories of the server that it leaves out: their addresses were not taken,
    or hold a login."""
    from_system: tuple[str, ...] = ()
    """The packages in it that are the distribution's on the server, and that others need."""


class _LeftOutError(Exception):
    """No lock can say where this package is from; the message says why."""


def lock_library(
    view: RView, loaded: Sequence[RPackage], is_of_system: Callable[[RPackage], bool]
) -> LibraryLock | None:
    """Write the lock of the packages that are neither R's own nor the distribution's.

    Args:
        view: of the R.
        loaded: the packages that it loads.
        is_of_system: whether the distribution's own package brought one.

    Returns:
        None where there is no such package.
    """
    own = {one.name: one for one in loaded if not _is_of_r(one, view)}
    wanted = {name for name, one in own.items() if not is_of_system(one)}
    if not wanted:
        return None
    # A lock is installed by itself: it holds all that its packages need
    needed = _with_needs(wanted, own)
    release = _release(loaded)
    records: dict[str, dict[str, object]] = {}
    left_out: dict[str, str] = {}
    for name in sorted(needed, key=str.lower):
        try:
            of_system = is_of_system(own[name])
            records[name] = _record(own[name], release, of_system=of_system)
        except _LeftOutError as error:
            left_out[name] = str(error)
    for name, need in _in_vain(records, own, left_out):
        left_out[name] = f"it needs {need}"
    kept = {name: one for name, one in records.items() if name not in left_out}
    for one in kept.values():
        needs = [need for need in own[str(one["Package"])].needs if need in kept]
        if needs:
            one["Requirements"] = sorted(needs)
    known = _repositories(view)
    given = [{"Name": name, "URL": url} for name, url in (known or {"CRAN": _CRAN}).items()]
    r = {"Version": view.version, "Repositories": given}
    said = {"R": r, **({"Bioconductor": {"Version": release}} if release else {})}
    return LibraryLock(
        json.dumps({**said, "Packages": kept}, indent=2) + "\n",
        frozenset(kept),
        tuple(
            f"{name} {own[name].version} ({own[name].library}): {why}"
            for name, why in sorted(left_out.items())
        ),
        tuple(name for name, url in view.repos.items() if name not in known and url != "@CRAN@"),
        tuple(sorted(name for name in kept if name not in wanted)),
    )


def _is_of_r(one: RPackage, view: RView) -> bool:
    """Whether it came with R: a recommended one may be there again, newer, in another library."""
    return one.priority == "base" or (
        one.priority is not None and one.library == f"{view.home}/library"
    )


def _with_needs(wanted: set[str], own: Mapping[str, RPackage]) -> set[str]:
    found, waiting = set[str](), list(wanted)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [need for need in own[name].needs if need in own]
    return found


def _in_vain(
    records: Mapping[str, object], own: Mapping[str, RPackage], left_out: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Packages that need one that is left out, until there are no more."""
    gone = set(left_out)
    while True:
        found = [
            (name, next(need for need in own[name].needs if need in gone))
            for name in records
            if name not in gone and gone.intersection(own[name].needs)
        ]
        if not found:
            return
        gone.update(name for name, _ in found)
        yield from found


def _release(loaded: Sequence[RPackage]) -> str:
    """The release of Bioconductor, as its packages say it; empty when none does."""
    for one in loaded:
        if one.name == "BiocVersion" and (found := _RELEASE.match(one.version)):
            return found[0]
    said = (_BIOCONDUCTOR.fullmatch(one.repository or "") for one in loaded)
    return max((one["release"] for one in said if one and one["release"]), key=_number, default="")


def _number(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in release.split("."))


def _record(one: RPackage, release: str, *, of_system: bool) -> dict[str, object]:
    """The record of a package.

    Raises:
        _LeftOutError: it cannot be had again.
    """
    if not fits(PackageName, one.name) or is_placeholder(one.version):
        raise _LeftOutError("its name or version was not taken")
    record: dict[str, object] = {"Package": one.name, "Version": one.version}
    if one.remote:
        return {**record, **_remote(one.remote)}
    repository = one.repository or ""
    if _BIOCONDUCTOR.fullmatch(repository):
        if not release:
            raise _LeftOutError("it is from Bioconductor, and no package there says which release")
        return {**record, "Source": "Bioconductor"}
    if not repository and not of_system:
        raise _LeftOutError("its DESCRIPTION does not say where it is from")
    if repository and not is_placeholder(repository) and "@" not in repository:
        return {**record, "Source": "Repository", "Repository": repository}
    return {**record, "Source": "Repository"}


def _remote(remote: str) -> dict[str, object]:
    found = _REMOTE.fullmatch(remote)
    if found is None:
        raise _LeftOutError("it is from somewhere that is not known here with a commit")
    kind = found["kind"]
    return {
        "Source": _KINDS[kind],
        "RemoteType": kind,
        "RemoteHost": _HOSTS[kind],
        "RemoteUsername": found["owner"],
        "RemoteRepo": found["name"],
        "RemoteSha": found["sha"],
    }


def _repositories(view: RView) -> dict[str, str]:
    """Those of options("repos") that were taken; one with a login never is."""
    return {
        name: url.rstrip("/")
        for name, url in view.repos.items()
        if "@" not in url and fits(RepoName, name) and fits(RepoUrl, url)
    }
