"""Probe a machine, run its checks, keep the results; the caller holds the instance's lock."""

from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack

from sandbox.checks.early import EarlyRestart
from sandbox.checks.production import LIKE_PRODUCTION
from sandbox.checks.quick import live_machine, run_quick
from sandbox.checks.request import CheckRequest, own_key
from sandbox.checks.results import CheckReport, CheckResult, Goal, Outcome, last_report, with_found
from sandbox.checks.runner import run_checks
from sandbox.errors import SandboxError
from sandbox.events import step
from sandbox.facts.collect import probe
from sandbox.facts.conceal import conceal
from sandbox.facts.facts import Facts
from sandbox.facts.files import load_facts
from sandbox.facts.subjects.accounts import Accounts
from sandbox.guest.guest import Guest
from sandbox.guest.hashes import hashes_of, key_beside
from sandbox.guest.pages import READY_TIMEOUT_S, apps_url, proven_by_page, urls_of, wait_for_ports
from sandbox.guest.rstudio import session_beside
from sandbox.probe.script import Taking
from sandbox.probe.session import NoSshError
from sandbox.probe.untaken import HashKey
from sandbox.providers.engine import MachineStatus
from sandbox.secret_values import secret_targets
from sandbox.servers.shiny import SERVER as SHINY
from sandbox.ssh import SshTarget
from sandbox.trust import HostCode

PROBE_TIMEOUT_S = 60.0
_WORKER_S = 30.0


def check_all(
    guest: Guest,
    own: tuple[HostCode, ...],
    goals: Sequence[Goal] = (),
    *,
    quick: bool = False,
    production: Facts | None = None,
) -> CheckReport:
    """Probe, check, and keep both results; the caller knows that the machine runs.

    After a run of some checks, each of these results counts until the same check runs again. A
    comparison with a `production` that is not the box's own is not kept.
    """
    plan, instance = guest.plan, guest.instance
    live = production is not None
    if not live and plan.production is not None:
        production = load_facts(plan.production)
    target = guest.login()
    # Environment, locale and limits are those of the moment a connection began: begin a new one
    guest.end_session(target)
    status = guest.status()
    with guest.reached_pages(status, target) as pages, ExitStack() as stack:
        for page in proven_by_page(pages):
            # This starts the app's worker, so that the probe sees a real one; the checks
            # judge the page's answer
            guest.page_status(page, timeout_s=status.patient(_WORKER_S))
        early = None
        if not quick and Goal.UP in (goals or Goal) and _can_be_early(guest, status):
            machine = live_machine(target, apps_url(plan, pages), urls_of(pages))
            early = stack.enter_context(EarlyRestart(guest.placement, machine).beside())
        with step(guest.listener, guest.name, "probe") as note:
            key = key_beside(production, instance)
            at_app = early.at_app if early is not None else None
            try:
                facts = probe_guest(guest, target, status, key, at_app)
            except NoSshError as error:
                # `up` must report this: from outside such a machine looks well
                _keep_part(guest, _shut_out(guest, error), live=False)
                raise
            note.text = f"{len(facts.not_seen)} not seen" if facts.not_seen else ""
        instance.write_text("facts.json", facts.model_dump_json(indent=1))
        with step(guest.listener, guest.name, "checks") as note:
            request = CheckRequest(
                placement=guest.placement,
                facts=facts,
                base_url=apps_url(plan, pages),
                urls=urls_of(pages),
                own_key=own_key(instance.folder),
                production=production,
                hashes=hashes_of(instance, key),
                goals=tuple(goals) or tuple(Goal),
                quick=quick,
                early_inspection=early.inspection() if early is not None else "",
            )
            report = run_checks(
                request, target, instance.folder, guest.listener, own=own, early=early
            )
            note.text = report.summary
    if not goals and not quick and not live:
        _keep(guest, report)
        return report
    report = report.model_copy(update={"whole": False})
    _keep_part(guest, report, live=live)
    return report


def check_clone(guest: Guest) -> CheckReport:
    """Wait for the apps of a clone, and check what a clone could lack: services, security, size.

    All else is the image's, byte by byte, and was checked before the image was baked. Only R in
    a session is asked, not R by itself. The probe reads the rest while R starts.
    """
    target = guest.login()
    status = guest.status()
    with guest.reached_pages(status, target) as pages:

        def wait() -> None:
            wait_for_ports(pages, timeout_s=status.patient(READY_TIMEOUT_S))

        machine = live_machine(target, apps_url(guest.plan, pages), urls_of(pages))
        with session_beside(guest.placement, machine, wait):
            wait()
            with step(guest.listener, guest.name, "probe"):
                timeout_s = status.patient(PROBE_TIMEOUT_S)
                facts = probe(target, taking=Taking(own=True), with_r=False, timeout_s=timeout_s)
            facts = _without_accounts(facts, machine.rstudio.accounts)
            guest.first_page(pages, status, target)
            with step(guest.listener, guest.name, "quick checks") as note:
                report = run_quick(guest.placement, machine, facts, guest.folder)
                note.text = report.summary
    _keep(guest, report)
    return report


def _without_accounts(facts: Facts, names: Collection[str]) -> Facts:
    """The facts without accounts that our own checks made while the probe looked."""
    accounts = facts.get(Accounts)
    if accounts is None:
        return facts
    kept = tuple(one for one in accounts if one.name not in names)
    return facts.with_parts(Accounts(kept))


def probe_guest(
    guest: Guest,
    target: SshTarget,
    status: MachineStatus,
    key: HashKey,
    at_app: Callable[[], None] | None = None,
) -> Facts:
    """Probe a running machine for its facts, with hashes by `key` for values that are not taken.

    Raises:
        NoSshError: the machine refuses our login.
    """
    plan = guest.plan
    packages = plan.r.default_packages.names if plan.r is not None else ()
    try:
        facts = probe(
            target,
            taking=Taking(key=key, own=True),
            load_packages=packages,
            timeout_s=status.patient(PROBE_TIMEOUT_S),
            at_app=at_app,
        )
    except NoSshError as error:
        # Its ssh_config is ours, and the user's own ssh does not read ours
        hint = f"sandbox up {guest.name}"
        raise NoSshError(error.message, details=error.details, hint=hint) from error
    return conceal(facts, secret_targets(plan), key)


def _can_be_early(guest: Guest, status: MachineStatus) -> bool:
    """Whether there is an app whose server can be killed beside the probe's R.

    On an emulated processor each would spoil the other's time.
    """
    plan = guest.plan
    return SHINY.is_in(plan.services) and bool(plan.apps) and not status.emulated


def _keep(guest: Guest, report: CheckReport) -> None:
    guest.instance.write_text("checks.json", report.model_dump_json(indent=1))
    guest.write(guest.instance.require().advanced("checked", note=report.summary))


def _shut_out(guest: Guest, error: SandboxError) -> CheckReport:
    """The report on a machine that refuses our login: one failed check."""
    found = CheckResult(
        id="up.ssh",
        goal=Goal.UP,
        title="ssh gets in",
        outcome=Outcome.FAILED,
        actual=error.message,
        fix=error.hint,
    )
    return CheckReport(
        sandbox=guest.name,
        box=guest.plan.box_name,
        plan_key=guest.placement.key,
        elapsed_s=0.0,
        results=(found,),
        whole=False,
    )


def _keep_part(guest: Guest, report: CheckReport, *, live: bool) -> None:
    if live:
        own = tuple(one for one in report.results if not one.id.startswith(LIKE_PRODUCTION))
        report = report.model_copy(update={"results": own})
    known = with_found(last_report(guest.folder), report)
    if known is not None:
        guest.instance.write_text("checks.json", known.model_dump_json(indent=1))
