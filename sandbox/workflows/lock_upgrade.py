"""`sandbox lock --upgrade PACKAGE`: take one R package anew, and what it needs; all else stays."""

import shlex
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from sandbox.box_lock.model import LockedFile, MachineLock
from sandbox.errors import UsageError
from sandbox.placement import Placement
from sandbox.spec.problem import code, near, short
from sandbox.workflows.context import Context
from sandbox.workflows.files_to_fetch import package_of_today
from sandbox.workflows.lock import Locked, fitting_lock, write_lock


def upgrade(placement: Placement, package: str, *, context: Context) -> Locked:
    """Lock one R package as it is today, and what it needs of R packages.

    Raises:
        UsageError: it is not locked, or cannot change alone; with the reason.
        DiffersFromLockError: the box was changed since it was locked.
        SandboxError: as in `lock`.
    """
    old = fitting_lock(placement).machine
    again = f"sandbox lock {shlex.quote(short(placement.plan.box_path))}"
    _require_locked(package, old, again)
    _require_undated(placement, package, old)
    found = package_of_today(placement, package, _rs_with(package, old), context)
    files = mixed(old.files, tuple(LockedFile.of(one) for one in found.files), package)
    if new := sorted(set(found.debian_packages) - set(old.debian_packages)):
        raise UsageError(
            f"{package} cannot change alone: today's version needs {', '.join(new)} of the "
            "distribution, and the lock has nothing of that",
            hint=f"{again} locks all of it anew",
        )
    today_is = datetime.now(UTC).date().isoformat()
    return write_lock(placement, old.model_copy(update={"files": files, "date": today_is}))


def _require_locked(package: str, old: MachineLock, again: str) -> None:
    names = {one.name for one in old.files if one.kind == "r_package"}
    if package in names:
        return
    if package in {one.name for one in old.debs} | {one.name for one in old.from_base}:
        raise UsageError(
            f"{package} is a package of the distribution: it cannot change alone",
            details="what it needs in its new version can need new versions of others, and apt "
            "answers that only for all packages of the machine together",
            hint=f"{again} locks all of it anew",
        )
    raise UsageError(
        f"no package {code(package)} is locked", hint=near(package, names) or f"{again}"
    )


def _require_undated(placement: Placement, package: str, old: MachineLock) -> None:
    rs = _rs_with(package, old)
    for one in placement.plan.rs:
        if one.version not in rs:
            continue
        if one.packages.source == "renv":
            raise UsageError(
                f"{package} comes from an renv.lock, which says its version",
                hint=f'in the project\'s R: renv::update("{package}"); renv::snapshot()',
            )
        if one.packages.source == "repository" and one.packages.date is not None:
            raise UsageError(
                f"{package} comes from a repository as it was on {one.packages.date}: it does not "
                "change",
                hint="another `date` in the box, then sandbox lock",
            )


def _rs_with(package: str, old: MachineLock) -> frozenset[str]:
    """List the versions of the Rs for which the package is locked."""
    return frozenset(one.r for one in old.files if one.kind == "r_package" and one.name == package)


def mixed(
    old: Iterable[LockedFile], today: Iterable[LockedFile], package: str
) -> tuple[LockedFile, ...]:
    """Put today's package, and what it needs, in place of the old; all else stays as it was."""
    new = {(one.kind, one.r, one.name): one for one in today}
    files = {(one.kind, one.r, one.name): one for one in old}
    wanted = [key for key in new if key[0] == "r_package" and key[2] == package]
    seen = set(wanted)
    while wanted:
        kind, r, name = wanted.pop()
        found = new[kind, r, name]
        files[kind, r, name] = found
        needed = {(kind, r, need) for need in found.needs} & new.keys()
        wanted += sorted(needed - seen)
        seen |= needed
    versions = {(one.r, one.name): one.version for one in files.values()}
    mended = [_linked_now(one, versions) for one in files.values()]
    return tuple(sorted(mended, key=lambda one: (one.kind, one.r, one.name)))


def _linked_now(one: LockedFile, versions: Mapping[tuple[str, str], str]) -> LockedFile:
    """Say again what a package is linked to: one that stays may have used one that changed."""
    before = [text.partition(" ")[::2] for text in one.linked_to]
    linked = tuple(f"{name} {versions.get((one.r, name), last)}" for name, last in before)
    return one if linked == one.linked_to else one.model_copy(update={"linked_to": linked})
