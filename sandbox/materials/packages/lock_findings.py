"""What can be said about the lock files of a box before anything is fetched."""

from collections.abc import Iterator
from dataclasses import dataclass

from sandbox.materials.packages.renv_lock import RenvLock, examine_renv_lock
from sandbox.materials.packages.repositories import R_OF_BIOCONDUCTOR
from sandbox.materials.packages.versions import Version
from sandbox.spec.load import LoadedBox
from sandbox.spec.problem import Problem
from sandbox.spec.r_fits import packages_place, r_places


@dataclass(frozen=True)
class LockMisfit:
    """Why the packages of a lock file are not for an R."""

    says: str
    """What the lock says and what the box does, to be read after the file's name."""
    why: str
    cure: str


def lock_problems(loaded: LoadedBox) -> tuple[Problem, ...]:
    """Find what is wrong with the box's lock files, and which of them are for another R."""
    return tuple(_problems(loaded))


def _problems(loaded: LoadedBox) -> Iterator[Problem]:
    r = loaded.box.r
    for place, one in r_places(r) if r is not None else ():
        if r is None or one.packages is None or one.packages.source != "renv":
            continue
        lock, problems = examine_renv_lock(loaded.file_at(*packages_place(r, place), "lock"))
        yield from problems
        version = one.version if one.source == "posit" and one.version else loaded.base.r_version
        if lock is not None and (misfit := misfit_with_r(lock, version)):
            cure = f"{misfit.cure[0].upper()}{misfit.cure[1:]}"
            yield Problem(lock.path, 0, "", f"it {misfit.says}", cure)


def misfit_with_r(lock: RenvLock, version: str) -> LockMisfit | None:
    """Say why the packages of a lock file are not for an R of that version; None: they are."""
    minor = Version(version).minor
    if Version(lock.r_version).minor != minor:
        cure = f'`version: "{lock.r_version}"` and `source: posit` under `r`'
        return LockMisfit(
            f"was locked with R {lock.r_version}, and this R is {version}",
            "packages of one minor version of R are not for another",
            f"give the box that R: {cure}; or lock anew with R {minor}",
        )
    for_r = R_OF_BIOCONDUCTOR.get(lock.bioconductor)
    uses = any(one.source == "Bioconductor" for one in lock.packages)
    if uses and for_r is not None and for_r != minor:
        return LockMisfit(
            f"has packages of Bioconductor {lock.bioconductor}, which is for R {for_r}, and this "
            f"R is {version}",
            "",
            "lock anew: in R, BiocManager::install(), then renv::snapshot()",
        )
    return None
