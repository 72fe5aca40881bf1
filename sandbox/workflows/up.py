"""`sandbox up`: create or converge, and end only when the app answers and the checks have run.

This module finds out whether a machine needs nothing; `make_machine` does the rest.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sandbox.baking import CacheUse, recipe_key
from sandbox.checks.results import CheckReport, last_report
from sandbox.guest.guest import Guest
from sandbox.guest.pages import Page
from sandbox.placement import Placement
from sandbox.providers.engine import MachineStatus, Power
from sandbox.record import Record
from sandbox.secret_values import needed_secrets
from sandbox.state import locked
from sandbox.summary import Phase
from sandbox.workflows.box_changes import noting
from sandbox.workflows.choose_placement import as_made, require_same_machine
from sandbox.workflows.context import Context
from sandbox.workflows.left_out import tell_left_out
from sandbox.workflows.locked_machine import require_locked

if TYPE_CHECKING:
    from sandbox.guest.passwords import NewPassword

_PAGE_S = 10.0


@dataclass(frozen=True)
class UpResult:
    """The result of `up`."""

    placement: Placement
    status: MachineStatus
    pages: tuple[Page, ...]
    report: CheckReport | None
    """The checks that ran now; the last ones when nothing had changed; None if none ran."""
    unchanged: bool
    released: tuple[str, ...] = ()
    """Apps that were the only change: only they were checked now, in `fresh`."""
    fresh: CheckReport | None = None
    passwords: "tuple[NewPassword, ...]" = ()
    """Those that people got just now, for RStudio Server; nothing keeps them."""


def up(
    placement: Placement,
    *,
    context: Context,
    checks: bool = True,
    provision_again: bool = False,
    cache: CacheUse = CacheUse.USE,
) -> UpResult:
    """Make the machine match the plan, from any state that an earlier run left.

    Args:
        placement: the plan, the name and the provider.
        context: the listener, the providers and the place.
        checks: probe and check it at the end.
        provision_again: run the playbooks even when nothing has changed since they last ran.
        cache: how to use baked images, when a machine is to be made.

    Raises:
        SandboxError: see errors.py; running it again goes on from the last whole step.
    """
    with locked(placement.name) as instance, noting(placement, instance):
        require_same_machine(instance, placement)
        guest = context.guest(as_made(placement, instance), instance)
        tell_left_out(guest.placement, context.listener)
        provision_again = _has_new_secrets(guest, context) or provision_again
        if not provision_again and cache is not CacheUse.FRESH:
            # Before a repair: what failed may be the very app that is new now
            done = _unchanged(guest) or _released(guest, checks=checks)
            if done is not None:
                if guest.plan.locked is not None:
                    require_locked(guest, guest.login())
                return _with_passwords(guest, done)
        provision_again = _is_to_mend(guest) or provision_again
        if checks:
            context.agreed_checks(guest.plan)
        # Takes half a second to import: only when there is something to do
        from sandbox.workflows.make_machine import make

        made = make(guest, context, cache=cache, checks=checks, again=provision_again)
        result = _result(guest, guest.placement, guest.status(), made.report)
        return replace(result, passwords=made.passwords)


def _with_passwords(guest: Guest, result: UpResult) -> UpResult:
    """Give passwords that an earlier run, which was killed, did not come to give."""
    if not guest.plan.users_with_password:
        return result
    from sandbox.guest.passwords import give_missing_passwords

    return replace(result, passwords=give_missing_passwords(guest))


def _has_new_secrets(guest: Guest, context: Context) -> bool:
    """Whether a known value differs from the machine's: then nobody need say --provision.

    Nobody is asked here; a value that is not known counts as unchanged.
    """
    needed = needed_secrets(guest.plan)
    record = guest.read() if needed else None
    if record is None or record.phase is not Phase.PROVISIONED:
        return False
    from sandbox.guest.hashes import given_again

    changed = given_again(guest.instance, needed, context.secrets.at_hand(needed))
    if changed:
        guest.tell(f"not what the machine was given before: {', '.join(changed)}")
    return bool(changed)


def _is_to_mend(guest: Guest) -> bool:
    """Whether checks found something wrong since the playbooks last ran: then they run again."""
    report = last_report(guest.folder)
    if report is None or report.ok or guest.status().power is Power.ABSENT:
        return False
    from sandbox.workflows.repair import failed_before

    guest.tell(f"{failed_before(report)}: running the playbooks again")
    return True


def _unchanged(guest: Guest) -> UpResult | None:
    """Try the fast way: provisioned from this very plan, running, and every app answers."""
    record, placement = guest.read(), guest.placement
    if record is None or record.phase is not Phase.PROVISIONED:
        return None
    is_the_same = record.placement == placement and record.recipe_key == recipe_key(placement)
    if not is_the_same or not guest.has_whole_key():
        return None
    status = guest.status()
    if not guest.is_awake(status):
        return None
    report = last_report(guest.folder)
    if report is None or not (report.ok and report.whole):
        # Never proven, or not as it should be: make a full run
        return None
    result = _result(guest, placement, status, report, unchanged=True)
    if any(guest.page_status(page, timeout_s=_PAGE_S) for page in result.pages):
        return None
    return result


def _released(guest: Guest, *, checks: bool) -> UpResult | None:
    """Try the short way: only files of apps have changed, and all else was and is well."""
    record, placement = guest.read(), guest.placement
    if record is None or not _only_apps_differ(record, placement):
        return None
    status = guest.status()
    if not guest.is_awake(status):
        return None
    # Takes time to import: only when there is something to do
    from sandbox.workflows.deploy import changed_apps, deploy, ids_of

    names = {app.name for app in changed_apps(record.plan, placement.plan)}
    report = last_report(guest.folder)
    if report is None or any(one.id not in ids_of(names) for one in report.problems):
        return None
    others = [page for page in guest.direct_pages(status) if page.name not in names]
    if not names or any(guest.page_status(page, timeout_s=_PAGE_S) for page in others):
        return None
    done = deploy(guest, record, status, checks=checks)
    result = _result(guest, placement, status, done.report)
    return replace(result, released=done.apps, fresh=done.now)


def _only_apps_differ(record: Record, placement: Placement) -> bool:
    """Whether the machine matches its last plan, and the new plan only differs in apps' files.

    A box with its own checks, or with a production to compare with, needs a full run.
    """
    plan, old = placement.plan, record.plan
    is_whole = record.phase is Phase.PROVISIONED and record.recipe_key == recipe_key(
        record.placement
    )
    if not is_whole or plan.app_server is None:
        return False
    if plan.check_files or plan.production is not None:
        return False
    if [app.name for app in old.apps] != [app.name for app in plan.apps]:
        return False
    # The machine does not depend on the places of the apps and the box on this host
    elsewhere = {
        name: getattr(plan, name) for name in ("apps", "box_path", "box_root", "box_files")
    }
    return old.model_copy(update=elsewhere) == plan


def _result(
    guest: Guest,
    wanted: Placement,
    status: MachineStatus,
    report: CheckReport | None,
    *,
    unchanged: bool = False,
) -> UpResult:
    return UpResult(wanted, status, guest.direct_pages(status), report, unchanged)
