"""Find services that do not run, before anybody waits for a page that cannot come."""

from sandbox.checks.up import services
from sandbox.errors import CommandError
from sandbox.guest.pages import direct_pages, page_status, proven_by_page
from sandbox.plan import Plan
from sandbox.providers.engine import MachineStatus
from sandbox.ssh import SshTarget

_ASK_S = 30.0
_NOT_FOUND = "HTTP 404"


def found_broken(plan: Plan, status: MachineStatus, target: SshTarget) -> str:
    """Say why no page can come before the playbooks have run, in a few words; empty when one may.

    A page's error is not judged here when its server runs and its app is in place.
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
    # An app that is gone is so at every server that answers for it
    return f"{' and '.join(dict.fromkeys(gone))} is not where {plan.app_server.title} looks for it"
