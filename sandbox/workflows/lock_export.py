"""Write a lock in the form that others read: renv.lock, or a bill of materials."""

from pathlib import Path

from sandbox.box_lock.renv import renv_lock
from sandbox.errors import HostError, UsageError
from sandbox.files import hand_over
from sandbox.placement import Placement
from sandbox.spec.problem import code, short
from sandbox.workflows.lock import fitting_lock


def export_lock(
    placement: Placement, *, renv: str | None, sbom: str | None, output: Path | None
) -> str:
    """Return the lock of a box in another form; written to `output` where that is given.

    Raises:
        UsageError: there is no such form, or no lock.
        DiffersFromLockError: the box was changed since it was locked.
        HostError: the file cannot be written.
    """
    for option, given, known in (("--export", renv, "renv"), ("--sbom", sbom, "cyclonedx")):
        if given is not None and given != known:
            raise UsageError(f"there is no form {code(given)}", hint=f"{option} {known}")
    machine, plan = fitting_lock(placement).machine, placement.plan
    if sbom is not None:
        # Takes a while to import
        from sandbox.box_lock.cyclonedx import cyclonedx

        text = cyclonedx(machine, name=plan.box_name, release=plan.base.name)
    else:
        default = next((one for one in plan.rs if one.is_default), None)
        if default is None:
            raise UsageError(f"{plan.box_name} has no R: there is nothing for an renv.lock")
        text = renv_lock(
            machine,
            default.version,
            repository=default.packages.repository,
            date=default.packages.date,
        )
    if output is not None:
        try:
            hand_over(output, text)
        except OSError as error:
            raise HostError(f"{short(output)} cannot be written: {error.strerror}") from error
    return text
