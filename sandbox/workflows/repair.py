"""What `up` does with a machine that is not as it was proven to be: say why, mend, and say what.

The playbooks put back what is theirs. What they cannot take back, such as a line that somebody
added to Rprofile.site, `sandbox reset` can: then the checks that go on failing say that instead.
"""

from sandbox.checks import fixes
from sandbox.checks.results import CheckReport, CheckResult, Outcome
from sandbox.checks.up import services
from sandbox.engines.base import MachineStatus
from sandbox.errors import CommandError
from sandbox.events import Listener, Notice
from sandbox.guest.pages import direct_pages, page_status, proven_by_page
from sandbox.placement import Placement
from sandbox.plan import Plan
from sandbox.provision import ProvisionResult
from sandbox.ssh import SshTarget

_ASK_S = 30.0
_NOT_FOUND = "HTTP 404"
_MOST_NAMED = 3


def failed_before(report: CheckReport) -> str:
    """What the last checks of a machine found wrong, in a few words."""
    titles = [f"“{one.title}”" for one in report.problems]
    more = len(titles) - _MOST_NAMED
    named = ", ".join(titles[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
    return f"not so at the last checks: {named}"


def found_broken(plan: Plan, status: MachineStatus, target: SshTarget) -> str:
    """Why no page can come before the playbooks have run, in a few words; empty when it may.

    What a server that runs and an app that is there have to say about a page is not judged here.
    """
    if not plan.servers:
        return ""
    units = services(plan)
    try:
        done = target.run(("systemctl", "is-active", *units), timeout_s=_ASK_S, check=False)
    except CommandError:
        return ""
    states = dict(zip(units, done.stdout.split(), strict=False))
    if stopped := [name for name, state in states.items() if state in {"inactive", "failed"}]:
        return f"{' and '.join(stopped)} should run, and does not"
    gone = [
        page.name
        for page in proven_by_page(direct_pages(plan.endpoints, status))
        if page.endpoint.is_app and page_status(page.url, timeout_s=_ASK_S).startswith(_NOT_FOUND)
    ]
    if not gone or plan.app_server is None:
        return ""
    return f"{' and '.join(gone)} is not where {plan.app_server.title} looks for it"


def tell_put_back(name: str, result: ProvisionResult, listener: Listener) -> None:
    """Say which tasks of the playbooks found something to do."""
    tasks = "; ".join(dict.fromkeys(result.changed_tasks))
    listener(Notice(name, f"put back: {tasks}" if tasks else "the playbooks found nothing to mend"))


def after_repair(placement: Placement, report: CheckReport) -> CheckReport:
    """The checks that followed: none advises what has just been done, and did not help."""
    return report.model_copy(
        update={"results": tuple(_not_again(placement, one) for one in report.results)}
    )


def _not_again(placement: Placement, result: CheckResult) -> CheckResult:
    bad = result.outcome in {Outcome.FAILED, Outcome.ERROR}
    if bad and result.fix.startswith(fixes.up(placement)):
        return result.model_copy(update={"fix": fixes.reset(placement)})
    return result
