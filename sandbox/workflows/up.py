"""`sandbox up`: create or converge, and end only when the app answers and the checks have run.

Here is what a machine that needs nothing is known by; `making` does the rest.
"""

from dataclasses import dataclass, replace

from sandbox.baking import CacheUse, recipe_key
from sandbox.checks.results import CheckReport, last_report
from sandbox.engines.base import Engine, MachineStatus, Power
from sandbox.engines.settling import Settling
from sandbox.events import Notice
from sandbox.guest.login import sshd_is_dead
from sandbox.guest.pages import Page, direct_pages, page_status, proven_by_page
from sandbox.placement import Placement
from sandbox.plan import Plan
from sandbox.record import Record
from sandbox.secret_values import needed_secrets
from sandbox.ssh import has_whole_key
from sandbox.state import Instance, locked
from sandbox.summary import Phase
from sandbox.workflows.box_now import noting
from sandbox.workflows.context import Context, status_of
from sandbox.workflows.left_out import tell_left_out
from sandbox.workflows.request import require_same_machine, without_known_missing


@dataclass(frozen=True)
class UpResult:
    """What `up` came to."""

    placement: Placement
    status: MachineStatus
    pages: tuple[Page, ...]
    report: CheckReport | None
    """The checks that ran now; the last ones when nothing had changed; None if none ran."""
    unchanged: bool
    released: tuple[str, ...] = ()
    """Apps that were all there was to do: only they were checked now, in `fresh`."""
    fresh: CheckReport | None = None


def up(
    placement: Placement,
    *,
    context: Context,
    checks: bool = True,
    provision_again: bool = False,
    cache: CacheUse = CacheUse.USE,
) -> UpResult:
    """Make the machine what the plan says, whatever state an earlier run left it in.

    Args:
        placement: what it must be.
        context: whom to tell, and where.
        checks: probe and check it at the end.
        provision_again: run the playbooks even when nothing has changed since they last ran.
        cache: what to do with baked images, when a machine is to be made.

    Raises:
        SandboxError: as errors.py says; running it again goes on from the last whole step.
    """
    engine = context.engine(placement.provider)
    with locked(placement.name) as instance, noting(placement, instance):
        require_same_machine(instance, placement)
        placement = without_known_missing(placement, instance)
        tell_left_out(placement, context.listener)
        provision_again = _has_new_secrets(placement, instance, context) or provision_again
        if not provision_again and cache is not CacheUse.FRESH:
            # Before what failed is mended: what failed may be the very app that is new now
            done = _unchanged(placement, instance, engine) or _released(
                placement, instance, engine, context, checks=checks
            )
            if done is not None:
                return done
        provision_again = _is_to_mend(instance, engine, context) or provision_again
        if checks:
            context.agreed_checks(placement.plan)
        # Takes half a second to import: only when there is something to do
        from sandbox.workflows.making import make

        report = make(
            placement, instance, engine, context, cache=cache, checks=checks, again=provision_again
        )
        return _result(placement, status_of(engine, placement.name), report, unchanged=False)


def _has_new_secrets(placement: Placement, instance: Instance, context: Context) -> bool:
    """Whether a value is at hand that the machine does not have: then nobody need say --provision.

    Nobody is asked here; of a value that is not at hand, nothing says that it has changed.
    """
    needed = needed_secrets(placement.plan)
    record = instance.read() if needed else None
    if record is None or record.phase is not Phase.PROVISIONED:
        return False
    from sandbox.workflows.hashes import given_anew

    anew = given_anew(instance, needed, context.secrets.at_hand(needed))
    if anew:
        context.listener(
            Notice(placement.name, f"not what the machine was given before: {', '.join(anew)}")
        )
    return bool(anew)


def _is_to_mend(instance: Instance, engine: Engine, context: Context) -> bool:
    """Whether checks found something wrong since the playbooks last ran: then they run again."""
    report, name = last_report(instance.folder), instance.name
    if report is None or report.ok or status_of(engine, name).power is Power.ABSENT:
        return False
    from sandbox.workflows.repair import failed_before

    context.listener(Notice(name, f"{failed_before(report)}: running the playbooks again"))
    return True


def _unchanged(placement: Placement, instance: Instance, engine: Engine) -> UpResult | None:
    """The fast path: provisioned from this very plan, running, and every app answers."""
    record = instance.read()
    if record is None or record.phase is not Phase.PROVISIONED:
        return None
    is_the_same = record.placement == placement and record.recipe_key == recipe_key(placement)
    if not is_the_same or not has_whole_key(instance.folder):
        return None
    status = status_of(engine, placement.name)
    if not _is_awake(engine, status):
        return None
    report = last_report(instance.folder)
    if report is None or not (report.ok and report.whole):
        # Never proven, or not as it should be: worth the full road
        return None
    result = _result(placement, status, report, unchanged=True)
    if any(page_status(page.url, timeout_s=10) for page in result.pages):
        return None
    return result


def _released(
    placement: Placement, instance: Instance, engine: Engine, context: Context, *, checks: bool
) -> UpResult | None:
    """The short road: nothing but files of apps has changed, and all else was and is well."""
    record = instance.read()
    if record is None or not _only_apps_differ(record, placement):
        return None
    status = status_of(engine, placement.name)
    if not _is_awake(engine, status):
        return None
    # Takes time to import: only when there is something to do
    from sandbox.workflows.deploy import changed_apps, deploy, ids_of

    names = {app.name for app in changed_apps(record.plan, placement.plan)}
    report = last_report(instance.folder)
    if report is None or any(one.id not in ids_of(names) for one in report.problems):
        return None
    others = [page for page in _pages(placement.plan, status) if page.name not in names]
    if not names or any(page_status(page.url, timeout_s=10) for page in others):
        return None
    done = deploy(placement, record, instance, engine, status, context, checks=checks)
    result = _result(placement, status, done.report, unchanged=False)
    return replace(result, released=done.apps, fresh=done.now)


def _only_apps_differ(record: Record, placement: Placement) -> bool:
    """Whether the machine is what its plan says, and that differs in files of the same apps alone.

    A box with checks of its own, or with a production to be compared with, has more to be seen to.
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
    # Where they, and the box, lie on this host is nothing to the machine
    elsewhere = {
        name: getattr(plan, name) for name in ("apps", "box_path", "box_root", "box_files")
    }
    return old.model_copy(update=elsewhere) == plan


def _is_awake(engine: Engine, status: MachineStatus) -> bool:
    """Whether it runs, lets us in, and goes on running."""
    if status.power is not Power.RUNNING or sshd_is_dead(status):
        return False
    # The provider may still be at what a killed command began, such as a stop
    return not (isinstance(engine, Settling) and engine.is_busy(status.name))


def _result(
    placement: Placement, status: MachineStatus, report: CheckReport | None, *, unchanged: bool
) -> UpResult:
    return UpResult(placement, status, _pages(placement.plan, status), report, unchanged)


def _pages(plan: Plan, status: MachineStatus) -> tuple[Page, ...]:
    return proven_by_page(direct_pages(plan.endpoints, status))
