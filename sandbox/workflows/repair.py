"""Repair by `up` of a machine that differs from its proven state: say why, mend, say what.

The playbooks restore the files that they write. They cannot undo other changes, such as a line that
somebody added to Rprofile.site; `sandbox reset` can: checks that still fail then advise that.
"""

from typing import TYPE_CHECKING

from sandbox.checks import fixes
from sandbox.checks.results import CheckReport, CheckResult, Outcome
from sandbox.guest.guest import Guest
from sandbox.placement import Placement

if TYPE_CHECKING:
    from sandbox.provision import ProvisionResult

_MOST_NAMED = 3


def failed_before(report: CheckReport) -> str:
    """Name the failures of a machine's last checks, in a few words."""
    titles = [f"“{one.title}”" for one in report.problems]
    more = len(titles) - _MOST_NAMED
    named = ", ".join(titles[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
    return f"not so at the last checks: {named}"


def tell_put_back(guest: Guest, result: "ProvisionResult") -> None:
    """Say which tasks of the playbooks found something to do."""
    tasks = "; ".join(dict.fromkeys(result.changed_tasks))
    guest.tell(f"put back: {tasks}" if tasks else "the playbooks found nothing to mend")


def after_repair(placement: Placement, report: CheckReport) -> CheckReport:
    """Change the advice of the checks afterwards: do not advise what was just done without help."""
    return report.model_copy(
        update={"results": tuple(_not_again(placement, one) for one in report.results)}
    )


def _not_again(placement: Placement, result: CheckResult) -> CheckResult:
    bad = result.outcome in {Outcome.FAILED, Outcome.ERROR}
    if bad and result.fix.startswith(fixes.up_command(placement)):
        return result.model_copy(update={"fix": fixes.reset_command(placement)})
    return result
