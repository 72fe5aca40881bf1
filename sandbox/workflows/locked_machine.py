"""Compare a machine with its lock: its base before all else, its packages at the end."""

from sandbox.box_lock.errors import DiffersFromLockError, differences
from sandbox.box_lock.model import LockedSystem
from sandbox.guest.guest import Guest
from sandbox.materials.lock_answers import unlike_after, unlike_before
from sandbox.plan import Plan
from sandbox.ssh import SshTarget

_BASE = (
    "its base image is another build than the one that was locked: "
    "`sandbox lock BOX` locks this one; a machine that was made without the lock must be made anew"
)


def require_base_of_lock(locked: LockedSystem, packages: str) -> None:
    """Refuse a machine whose base is not the locked one; `packages` is its list.

    Raises:
        DiffersFromLockError: packages of the base have other versions.
    """
    if found := unlike_before(locked, packages):
        raise DiffersFromLockError(
            "the machine differs from the lock, before anything is installed",
            details=differences(found),
            hint=_BASE,
        )


def require_locked(guest: Guest, target: SshTarget) -> None:
    """Compare the packages of a finished machine with its lock; nothing for a plan without one.

    Raises:
        DiffersFromLockError: there is another version, one too many, or one is missing.
    """
    plan = guest.plan
    if plan.locked is None:
        return
    packages = guest.installed_packages(target)
    if found := unlike_after(plan.locked, packages, others=_file_packages(plan)):
        raise DiffersFromLockError(
            f"the machine of {guest.name} differs from the lock",
            details=differences(found),
            hint=f"sandbox destroy {guest.name}, then sandbox up --locked again; if it differs "
            "again, its base image is another build: sandbox lock BOX",
        )


def _file_packages(plan: Plan) -> tuple[str, ...]:
    """The packages of the distribution's kind that are locked as builds of R, and RStudio."""
    files = [one for one in plan.materials.files if one.kind in {"r", "rstudio"}]
    return tuple(name for one in files for name in (one.name, one.file_name.partition("_")[0]))
