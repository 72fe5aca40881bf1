"""`sandbox lock --upgrade PACKAGE`: take one R package anew, and what it needs; all else stays."""

import shlex
from collections.abc import Iterable
from datetime import UTC, datetime

from sandbox.box_lock.model import LockedFile, MachineLock
from sandbox.errors import UsageError
from sandbox.placement import Placement
from sandbox.spec.problem import code, near, short
from sandbox.workflows.context import Context
from sandbox.workflows.files_to_fetch import with_files
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
    plan = with_files(placement, context, again=True).plan
    today = tuple(LockedFile.of(one) for one in plan.materials.files)
    files = mixed(old.files, today, package)
    if new := sorted(set(plan.materials.debian_packages) - set(old.debian_packages)):
        raise UsageError(
            f"{package} cannot change alone: today's packages need {', '.join(new)} of the "
            "distribution, which are not locked",
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
    rs = {one.r for one in old.files if one.kind == "r_package" and one.name == package}
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
    return tuple(sorted(files.values(), key=lambda one: (one.kind, one.r, one.name)))
