"""Probe a sandbox and run its checks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.checks.production import LIKE_PRODUCTION
from sandbox.checks.quick import run_quick
from sandbox.checks.request import CheckRequest, own_key
from sandbox.checks.results import CheckReport, CheckResult, Goal, Outcome, last_report, with_found
from sandbox.checks.runner import run_checks
from sandbox.engines.base import Engine, MachineStatus, Power
from sandbox.errors import SandboxError, UsageError
from sandbox.events import Notice, step
from sandbox.facts.collect import probe
from sandbox.facts.conceal import conceal
from sandbox.facts.facts import Facts
from sandbox.facts.files import load_facts
from sandbox.probe.script import Taking
from sandbox.probe.session import NoSshError
from sandbox.probe.untaken import HashKey
from sandbox.record import Record
from sandbox.secret_values import secret_targets
from sandbox.ssh import SshTarget, disconnect
from sandbox.state import Instance, locked
from sandbox.summary import Phase
from sandbox.workflows.app_trouble import AskTheMachine
from sandbox.workflows.box_now import BoxLook, box_has_changed
from sandbox.workflows.context import Context, status_of
from sandbox.workflows.hashes import hash_key, hashes_of, key_beside
from sandbox.workflows.reach import (
    READY_TIMEOUT_S,
    app_urls,
    connect,
    page_status,
    shiny_base_url,
    wait_for_apps,
    wait_for_port,
)

PROBE_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Against:
    """Production as it is now, instead of the facts that a box names."""

    name: str
    """As the user calls it: `sandbox diff` understands the same word."""
    read: Callable[[HashKey], Facts]
    """Told the key of the hashes in what is read now."""


def check(
    name: str,
    *,
    context: Context,
    goals: Sequence[Goal] = (),
    quick: bool = False,
    against: Against | None = None,
) -> CheckReport:
    """Verify the live machine against its saved plan, and against production.

    Args:
        name: of the sandbox.
        context: whom to tell, and where.
        goals: only these; all when empty.
        quick: end no process on it.
        against: production, read anew.

    Raises:
        UsageError: no such sandbox, its `up` never came to its end, or it does not run.
    """
    with locked(name) as instance:
        record = instance.require()
        _require_finished(record)
        if changed := BoxLook().changed(instance.folder):
            context.listener(Notice(name, box_has_changed(name, changed)))
        context.agreed_checks(record.plan)
        engine = context.engine(record.plan.provider)
        require_running(engine, name)
        if against is None:
            return verify(instance, record, engine, context, goals, quick=quick)
        with step(context.listener, name, "read production"):
            production = against.read(hash_key(instance))
        # The checks are made from the plan, which may name no production, or an older one
        plan = record.plan.model_copy(update={"production": Path(against.name)})
        record = record.model_copy(update={"plan": plan})
        return verify(instance, record, engine, context, goals, quick=quick, production=production)


def _require_finished(record: Record) -> None:
    if record.phase is not Phase.PROVISIONED:
        name = record.plan.name
        raise UsageError(
            f"{name} is not finished, so there is nothing to check yet", hint=f"sandbox up {name}"
        )


def verify(
    instance: Instance,
    record: Record,
    engine: Engine,
    context: Context,
    goals: Sequence[Goal] = (),
    *,
    quick: bool = False,
    production: Facts | None = None,
) -> CheckReport:
    """Probe, check, and keep both results; the caller holds the lock and knows that it runs.

    Of a part of them each result counts until the same check runs again; how the machine compares
    with `production`, which is not the box's own, is not kept.
    """
    plan, name = record.plan, instance.name
    own = context.agreed_checks(plan)
    live = production is not None
    if not live and plan.production is not None:
        production = load_facts(plan.production)
    target = connect(instance, engine)
    # Environment, locale and limits are those of the moment a connection began: begin a new one
    disconnect(target)
    status = status_of(engine, name)
    with shiny_base_url(plan, status, target) as base_url:
        for app in app_urls(plan, base_url):
            # Starts the app's worker, so that the probe sees the inside of a real one; what the
            # page answers is judged by the checks
            page_status(app.url, timeout_s=status.patient(30))
        with step(context.listener, name, "probe") as note:
            key = key_beside(production, instance)
            try:
                facts = _probe(target, record, status, key)
            except NoSshError as error:
                # `up` must hear of it: from outside such a machine looks well
                _keep_part(instance, _shut_out(record, error), live=False)
                raise
            note.text = f"{len(facts.not_seen)} not seen" if facts.not_seen else ""
        instance.write_text("facts.json", facts.model_dump_json(indent=1))
        with step(context.listener, name, "checks") as note:
            request = CheckRequest(
                plan=plan,
                facts=facts,
                base_url=base_url,
                own_key=own_key(instance.folder),
                production=production,
                hashes=hashes_of(instance, key),
                goals=tuple(goals) or tuple(Goal),
                quick=quick,
            )
            report = run_checks(request, target, instance.folder, context.listener, own=own)
            note.text = report.summary
    if not goals and not quick and not live:
        _keep(instance, record, report)
        return report
    report = report.model_copy(update={"whole": False})
    _keep_part(instance, report, live=live)
    return report


def verify_clone(
    instance: Instance, record: Record, engine: Engine, context: Context
) -> CheckReport:
    """Wait for the apps of a clone, and check what it could lack: services, security, size.

    All else is the image's, byte by byte, and was checked before that was baked. R is not asked by
    itself: an app's session is. The probe looks while R starts.
    """
    plan, name = record.plan, instance.name
    target = connect(instance, engine)
    status = status_of(engine, name)
    with shiny_base_url(plan, status, target) as base_url:
        wait_for_port(base_url, timeout_s=status.patient(READY_TIMEOUT_S))
        with step(context.listener, name, "probe"):
            taking = Taking(own=True)
            facts = probe(
                target, taking=taking, with_r=False, timeout_s=status.patient(PROBE_TIMEOUT_S)
            )
        urls = app_urls(plan, base_url)
        if urls:
            with step(context.listener, name, "first page"):
                wait_for_apps(
                    urls,
                    name=name,
                    timeout_s=status.patient(READY_TIMEOUT_S),
                    why=AskTheMachine(plan, target),
                )
        with step(context.listener, name, "quick checks") as note:
            report = run_quick(plan, target, base_url, facts, instance.folder)
            note.text = report.summary
    _keep(instance, record, report)
    return report


def _keep(instance: Instance, record: Record, report: CheckReport) -> None:
    instance.write_text("checks.json", report.model_dump_json(indent=1))
    instance.write(record.advanced("checked", note=report.summary))


def _shut_out(record: Record, error: SandboxError) -> CheckReport:
    """The one check that could be made of a machine that does not let us in."""
    plan = record.plan
    found = CheckResult(
        id="up.ssh",
        goal=Goal.UP,
        title="ssh gets in",
        outcome=Outcome.FAILED,
        actual=error.message,
        fix=error.hint,
    )
    return CheckReport(
        sandbox=plan.name,
        box=plan.box_name,
        plan_key=plan.key,
        elapsed_s=0.0,
        results=(found,),
        whole=False,
    )


def _keep_part(instance: Instance, report: CheckReport, *, live: bool) -> None:
    if live:
        own = tuple(one for one in report.results if not one.id.startswith(LIKE_PRODUCTION))
        report = report.model_copy(update={"results": own})
    known = with_found(last_report(instance.folder), report)
    if known is not None:
        instance.write_text("checks.json", known.model_dump_json(indent=1))


def require_running(engine: Engine, name: str) -> MachineStatus:
    """The status of a machine that runs; says how to go on when it does not.

    Raises:
        UsageError: it is stopped, gone, or broken.
    """
    status = status_of(engine, name)
    if status.power is Power.RUNNING:
        return status
    detail = "its machine is gone" if status.power is Power.ABSENT else f"it is {status.power}"
    raise UsageError(
        f"the sandbox {name} does not run: {detail}",
        details=status.detail,
        hint=f"sandbox up {name}",
    )


def probe_sandbox(name: str, *, context: Context, key: HashKey) -> Facts:
    """The facts of a running sandbox, with hashes of `key` for what is not taken.

    Raises:
        UsageError: no such sandbox, or it does not run.
    """
    instance = Instance(name)
    record = instance.require()
    engine = context.engine(record.plan.provider)
    status = require_running(engine, name)
    return _probe(connect(instance, engine), record, status, key)


def _probe(target: SshTarget, record: Record, status: MachineStatus, key: HashKey) -> Facts:
    packages = record.plan.r.packages.names if record.plan.r is not None else ()
    try:
        facts = probe(
            target,
            taking=Taking(key=key, own=True),
            load_packages=packages,
            timeout_s=status.patient(PROBE_TIMEOUT_S),
        )
    except NoSshError as error:
        # Its ssh_config is ours, which the user's own ssh does not read
        hint = f"sandbox up {record.plan.name}"
        raise NoSshError(error.message, details=error.details, hint=hint) from error
    return conceal(facts, secret_targets(record.plan), key)
