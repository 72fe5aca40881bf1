"""`sandbox up`: create or converge, and end only when the app answers and the checks have run."""

import hashlib
import math
from dataclasses import dataclass, replace

from sandbox.checks.results import CheckReport
from sandbox.engines.base import Engine, MachineSpec, MachineStatus, Power, RootExec
from sandbox.errors import HostError, ProviderError
from sandbox.events import Notice, step
from sandbox.host.limits import host_limits
from sandbox.paths import data_dir
from sandbox.plan import Plan, exceeds_host, missing_packages
from sandbox.provision import bootstrap, provision, root_over_ssh
from sandbox.ssh import disconnect, make_key
from sandbox.state import Instance, Phase, Record, locked
from sandbox.workflows.base import prepare_base
from sandbox.workflows.check import verify
from sandbox.workflows.context import Context, require_usable, status_of
from sandbox.workflows.reach import (
    AppUrl,
    app_urls,
    connect,
    direct_url,
    page_status,
    root_inside,
    shiny_base_url,
    wait_for_apps,
    wait_for_ssh,
)
from sandbox.workflows.rebuild import leave_out_missing, tell_rebuild, without_known_missing
from sandbox.workflows.request import require_same_machine
from sandbox.workflows.snapshot import keep_provisioned

NEEDED_DISK_GB = 2
"""Less than that and not even the base image and R fit."""


@dataclass(frozen=True)
class UpResult:
    """What `up` came to."""

    plan: Plan
    status: MachineStatus
    urls: tuple[AppUrl, ...]
    report: CheckReport | None
    """The checks that ran now; the last ones when nothing had changed; None if none ran."""
    unchanged: bool


def up(
    plan: Plan, *, context: Context, checks: bool = True, provision_again: bool = False
) -> UpResult:
    """Make the machine what the plan says, whatever state an earlier run left it in.

    Args:
        plan: what it must be.
        context: whom to tell, and where.
        checks: probe and check it at the end.
        provision_again: run the playbooks even when nothing has changed since they last ran.

    Raises:
        SandboxError: as errors.py says; running it again goes on from the last whole step.
    """
    engine = context.engine(plan.provider)
    with locked(plan.name) as instance:
        require_same_machine(instance, plan)
        plan = without_known_missing(plan, instance)
        if not provision_again and (result := _unchanged(plan, instance, engine)) is not None:
            return result
        _refuse_impossible(plan, instance, engine, context)
        tell_rebuild(plan, context.listener)
        record = _created(plan, instance, engine, context)
        record = _provisioned(record, instance, engine, context, again=provision_again)
        report = verify(instance, record, engine, context) if checks else None
        return _result(plan, engine, report, unchanged=False)


def recipe_key(plan: Plan) -> str:
    """12 hex digits over the plan and all that turns a base into it: templates and playbooks."""
    digest = hashlib.sha256(plan.key.encode())
    for kind in ("templates", "playbooks"):
        root = data_dir(kind)
        for path in sorted(root.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(f"{kind}/{path.relative_to(root)}\0".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _unchanged(plan: Plan, instance: Instance, engine: Engine) -> UpResult | None:
    """The fast path: provisioned from this very plan, running, and every app answers."""
    record = instance.read()
    if record is None or record.phase is not Phase.PROVISIONED:
        return None
    if record.plan != plan or record.recipe_key != recipe_key(plan):
        return None
    if status_of(engine, plan.name).power is not Power.RUNNING:
        return None
    report = last_report(instance)
    if report is None or not report.ok:
        # Never proven, or not as it should be: worth the full road
        return None
    result = _result(plan, engine, report, unchanged=True)
    if any(page_status(app.url, timeout_s=10) for app in result.urls):
        return None
    return result


def last_report(instance: Instance) -> CheckReport | None:
    """The checks of the last whole run; None when there was none, or it cannot be read."""
    try:
        return CheckReport.model_validate_json((instance.folder / "checks.json").read_text())
    except (FileNotFoundError, ValueError):
        return None


def _refuse_impossible(plan: Plan, instance: Instance, engine: Engine, context: Context) -> None:
    require_usable(engine, context.listener, plan.name)
    if context.place.is_local:
        _refuse_too_large(plan, context)
    status = status_of(engine, plan.name)
    if instance.read() is None and status.power is not Power.ABSENT:
        raise ProviderError(
            f"{plan.provider} has a machine {plan.name} that sandbox has no record of",
            details="its state folder was removed, or it was made by another user",
            hint=f"sandbox destroy {plan.name}, or choose another name with --name",
        )


def _refuse_too_large(plan: Plan, context: Context) -> None:
    limits = host_limits(context.place)
    # A machine's disk is a limit, not a reservation: what counts is room to begin with
    if problems := exceeds_host(plan, replace(limits, free_disk_gb=math.inf)):
        raise HostError(
            f"{plan.name} asks for more than this host has",
            details="\n".join(problems),
            hint="make it smaller: `machine:` in the box, or --cpus, --memory-mb",
        )
    if limits.free_disk_gb < NEEDED_DISK_GB:
        raise HostError(
            "no disk space is left for sandboxes",
            details=f"{limits.free_disk_gb:.1f} GB free, {NEEDED_DISK_GB} GB needed",
            hint="sandbox destroy what is not used, or make room on the disk",
        )


def _created(plan: Plan, instance: Instance, engine: Engine, context: Context) -> Record:
    """The machine exists, is started, and is recorded, before anything is done inside it."""
    listener, name = context.listener, plan.name
    record = instance.read()
    status = status_of(engine, name)
    if record is not None and record.phase is not Phase.PLANNED and status.power is Power.ABSENT:
        listener(Notice(name, "its machine is gone: making a new one"))
        record = None
    # From here on `destroy` and `list` know of it, whatever happens next
    record = Record(plan=plan) if record is None else record.model_copy(update={"plan": plan})
    instance.write(record)
    if record.phase is Phase.PLANNED:
        base = prepare_base(plan, context)
        if base.packages is not None:
            plan = leave_out_missing(plan, base.packages, instance, listener)
            record = record.model_copy(update={"plan": plan})
            _refuse_missing(plan, base.packages, instance)
        spec = _machine_spec(plan, instance, base.image)
        with step(listener, name, "create"):
            engine.create(spec, listener)
        record = record.advanced("created", phase=Phase.CREATED, note=base.image)
        instance.write(record)
    # One that runs may have been cut off before its login was prepared: `start` makes that whole
    if record.phase is Phase.CREATED or status_of(engine, name).power is not Power.RUNNING:
        with step(listener, name, "start"):
            engine.start(name, listener)
    return record


def _refuse_missing(plan: Plan, index: frozenset[str], instance: Instance) -> None:
    error = missing_packages(plan, index)
    if error is not None:
        # Nothing was made yet: nothing is left
        instance.remove()
        raise error


def _machine_spec(plan: Plan, instance: Instance, image: str) -> MachineSpec:
    return MachineSpec(
        name=plan.name,
        image=image,
        cpus=plan.machine.cpus,
        memory_mb=plan.machine.memory_mb,
        disk_gb=plan.machine.disk_gb,
        authorized_key=make_key(instance.folder),
        instance_dir=instance.folder,
        labels=(("box", plan.box_name), ("plan", plan.key)),
        forwarded_ports=plan.forwarded_ports,
        options=plan.provider_options,
    )


def _provisioned(
    record: Record, instance: Instance, engine: Engine, context: Context, *, again: bool
) -> Record:
    """The machine is what the plan says, and its apps answer."""
    plan, listener, name = record.plan, context.listener, record.plan.name
    wanted = recipe_key(plan)
    stale = again or record.phase is not Phase.PROVISIONED or record.recipe_key != wanted
    if stale:
        # Half-done work must never pass for whole: forget the old recipe first
        instance.write(record.model_copy(update={"phase": Phase.CREATED, "recipe_key": ""}))
        if isinstance(engine, RootExec):
            bootstrap(plan, root_inside(engine, name), instance.folder, listener)
    target = connect(instance, engine)
    with step(listener, name, "ssh"):
        wait_for_ssh(target)
    if stale:
        if not isinstance(engine, RootExec):
            bootstrap(plan, root_over_ssh(target), instance.folder, listener)
        result = provision(plan, target, instance.folder, listener)
        # Limits and environment are given to a login when it begins: what follows must begin anew
        disconnect(target)
        note = f"{result.changed} changed"
        record = record.advanced(
            "provisioned", phase=Phase.PROVISIONED, recipe_key=wanted, note=note
        )
        instance.write(record)
    with shiny_base_url(plan, status_of(engine, name), target) as base_url:
        urls = app_urls(plan, base_url)
        if urls:
            with step(listener, name, "first page"):
                wait_for_apps(urls)
    if stale:
        keep_provisioned(name, engine, listener)
    return record


def _result(plan: Plan, engine: Engine, report: CheckReport | None, *, unchanged: bool) -> UpResult:
    status = status_of(engine, plan.name)
    return UpResult(plan, status, app_urls(plan, direct_url(plan, status)), report, unchanged)
