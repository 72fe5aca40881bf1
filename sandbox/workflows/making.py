"""The long road of `sandbox up`: make the machine, bring it to its plan, prove it, keep it."""

import math
from contextlib import ExitStack
from dataclasses import replace

from sandbox.baking import BakeKeys, CacheUse, recipe_key
from sandbox.checks.results import CheckReport
from sandbox.engines.base import Engine, Isolation, MachineStatus, Power, RootExec
from sandbox.engines.settling import Settling
from sandbox.errors import ConnectionLostError, HostError, ProviderError, UsageError
from sandbox.events import Listener, Notice, step
from sandbox.guest.login import SSH_TIMEOUT_S, connect, root_inside, sshd_is_dead, wait_for_ssh
from sandbox.guest.pages import (
    READY_TIMEOUT_S,
    direct_pages,
    knocking,
    proven_by_page,
    reached_pages,
    wait_for_pages,
)
from sandbox.host.limits import host_limits, virtualbox_limits
from sandbox.images.sources import archives_ahead
from sandbox.missing import missing_packages
from sandbox.placement import Placement
from sandbox.plan import HostLimits, exceeds_host
from sandbox.provision import ProvisionResult, bootstrap, provision, root_over_ssh
from sandbox.record import Record
from sandbox.secret_values import SecretValues, needed_secrets
from sandbox.ssh import SshTarget, disconnect, make_key
from sandbox.state import Instance
from sandbox.summary import Phase
from sandbox.workflows.app_trouble import AskTheMachine
from sandbox.workflows.base import prepare_base
from sandbox.workflows.check import verify, verify_clone
from sandbox.workflows.context import STOP_TIMEOUT_S, Context, require_usable, status_of
from sandbox.workflows.hashes import remember_given
from sandbox.workflows.login_key import restore_login
from sandbox.workflows.machine import machine_spec, record_elsewhere
from sandbox.workflows.origin import Oven, choose_origin, create_from, keep_baked
from sandbox.workflows.rebuild import leave_out_missing, tell_rebuild
from sandbox.workflows.repair import after_repair, found_broken, tell_put_back
from sandbox.workflows.snapshot import has_provisioned, keep_provisioned

NEEDED_DISK_GB = 2
"""Less than that and not even the base image and R fit."""
_SILENT_S = 120.0
"""How long a machine that answered before may take to answer again."""


def make(
    placement: Placement,
    instance: Instance,
    engine: Engine,
    context: Context,
    *,
    cache: CacheUse,
    checks: bool,
    again: bool,
) -> CheckReport | None:
    """Make the machine what the plan says, from whatever state; the caller holds the lock.

    Returns:
        The checks that ran; None with `checks` off.

    Raises:
        SandboxError: as errors.py says; running it again goes on from the last whole step.
    """
    with ExitStack() as stack:
        if _will_provision(placement, instance, engine, again=again):
            # Before anything is touched: it may be that nobody can give them
            _ask_for_secrets(placement, context)
        archives = stack.enter_context(archives_ahead()) if _is_new(instance) else None
        _refuse_impossible(placement, instance, engine, context)
        tell_rebuild(placement, context.listener)
        oven = Oven(cache, will_check=checks, lock=stack, archives=archives)
        record, keys = _created(placement, instance, engine, context, oven)
        if _is_whole(record) and not again:
            return _woken(record, instance, engine, context, checks=checks)
        record, kept = _provisioned(record, instance, engine, context, again=again)
        report = verify(instance, record, engine, context) if checks else None
        if not kept:
            report = _proven_again(record, report, instance, engine, context)
        if keys is not None and report is not None and report.ok:
            keep_baked(record.placement, keys, engine, context.listener)
        return report


def _will_provision(
    placement: Placement, instance: Instance, engine: Engine, *, again: bool
) -> bool:
    if again or not needed_secrets(placement.plan):
        return again
    record = instance.read()
    if record is None or record.phase is not Phase.PROVISIONED:
        return True
    gone = status_of(engine, placement.name).power is Power.ABSENT
    return gone or record.recipe_key != recipe_key(placement)


def _ask_for_secrets(placement: Placement, context: Context) -> None:
    if needed := needed_secrets(placement.plan):
        context.secrets.all_of(needed)
        # A box may name any variable: that its machine gets the value must not go unseen
        context.listener(
            Notice(placement.name, f"secrets for {placement.name}: {context.secrets.origins()}")
        )


def _is_new(instance: Instance) -> bool:
    record = instance.read()
    return record is None or record.phase is Phase.PLANNED


def _refuse_fresh(placement: Placement, cache: CacheUse) -> None:
    if cache is CacheUse.FRESH:
        raise UsageError(
            f"the sandbox {placement.name} is there already, and --fresh is for making one",
            hint=f"sandbox destroy {placement.name}, then again",
        )


def _refuse_impossible(
    placement: Placement, instance: Instance, engine: Engine, context: Context
) -> None:
    require_usable(engine, context.listener, placement.name)
    if placement.provider == "virtualbox":
        _refuse_too_large(placement, virtualbox_limits())
    elif context.place.is_local:
        _refuse_too_large(placement, host_limits(context.place))
    status = status_of(engine, placement.name)
    if instance.read() is None and status.power is not Power.ABSENT:
        details = "its state folder was removed, or it was made by another user"
        hint = f"sandbox destroy {placement.name}, or choose another name with --name"
        if theirs := record_elsewhere(status, instance.folder):
            details = f"it belongs to another user's sandbox: its record is in {theirs}"
            hint = "choose another name with --name"
        raise ProviderError(
            f"{placement.provider} has a machine {placement.name} that sandbox has no record of",
            details=details,
            hint=hint,
        )


def _refuse_too_large(placement: Placement, limits: HostLimits) -> None:
    # A machine's disk is a limit, not a reservation: what counts is room to begin with
    if problems := exceeds_host(placement.plan, replace(limits, free_disk_gb=math.inf)):
        raise HostError(
            f"{placement.name} asks for more than this host has",
            details="\n".join(problems),
            hint="make it smaller: `machine:` in the box, or --cpus, --memory-mb",
        )
    if limits.free_disk_gb < NEEDED_DISK_GB:
        raise HostError(
            "no disk space is left for sandboxes",
            details=f"{limits.free_disk_gb:.1f} GB free, {NEEDED_DISK_GB} GB needed",
            hint="sandbox destroy what is not used, or make room on the disk",
        )


def _created(
    placement: Placement, instance: Instance, engine: Engine, context: Context, oven: Oven
) -> tuple[Record, BakeKeys | None]:
    """The machine exists, is started, and is recorded, before anything is done inside it.

    Returns:
        The record, and by what keys to bake the machine once it is proven; None: not at all.
    """
    listener, name = context.listener, placement.name
    record = instance.read()
    status = status_of(engine, name)
    if record is not None and record.phase is not Phase.PLANNED and status.power is Power.ABSENT:
        listener(Notice(name, "its machine is gone: making a new one"))
        record = None
    if record is not None and status.power is not Power.ABSENT:
        _refuse_fresh(placement, oven.cache)
    # From here on `destroy` and `list` know of it, whatever happens next
    record = Record(placement=placement) if record is None else record.wanting(placement)
    instance.write(record)
    keys = None
    if record.phase is Phase.PLANNED:
        record, keys = _made(record, instance, engine, context, oven)
    else:
        if isinstance(engine, Settling):
            # A `stop` that was killed goes on at the provider
            engine.settle(name)
        _set_isolation(placement, engine, listener)
    status = status_of(engine, name)
    dead = sshd_is_dead(status)
    # One that runs may have been cut off before its login was prepared: `start` makes that whole
    if record.phase is Phase.CREATED or status.power is not Power.RUNNING or dead:
        with step(listener, name, "start"):
            engine.start(name, listener)
    elif status.power is Power.RUNNING:
        restore_login(instance, engine, listener)
    if record.phase is Phase.PROVISIONED and dead and _lacks_sshd(engine, name):
        # What installs it is the bootstrap script
        record = record.model_copy(update={"phase": Phase.CREATED, "recipe_key": ""})
        instance.write(record)
    return record, keys


def _set_isolation(placement: Placement, engine: Engine, listener: Listener) -> None:
    """Where the box says otherwise by now: the machine is started anew, with another card."""
    if not isinstance(engine, Isolation):
        return
    name, isolated = placement.name, placement.plan.machine.isolated
    # Of a machine of an older version nothing is known: its next start isolates it
    if engine.is_isolated(name) is (not isolated):
        with step(listener, name, "isolate" if isolated else "let others in"):
            engine.stop(name, timeout_s=STOP_TIMEOUT_S)
            engine.isolate(name, isolated=isolated)


def _lacks_sshd(engine: Engine, name: str) -> bool:
    if not isinstance(engine, RootExec):
        return False
    words = ("test", "-x", "/usr/sbin/sshd")
    return engine.exec_as_root(name, words, timeout_s=30, check=False).returncode != 0


def _made(
    record: Record, instance: Instance, engine: Engine, context: Context, oven: Oven
) -> tuple[Record, BakeKeys | None]:
    """The machine exists, from a baked image where there is one."""
    placement, listener = record.placement, context.listener
    base = prepare_base(placement, context, oven.archives)
    if base.packages is not None:
        placement = leave_out_missing(placement, base.packages, instance, listener)
        record = record.wanting(placement)
        _refuse_missing(placement, base.packages, instance)
    origin = choose_origin(placement, base, engine, oven, listener)
    key = make_key(instance.folder)
    spec = machine_spec(placement, image=base.image, key=key, folder=instance.folder)
    # An earlier run may have asked for it and not lived to see it: then it is from who knows what
    was_there = status_of(engine, placement.name).power is not Power.ABSENT
    with step(listener, placement.name, origin.title) as note:
        note.text = origin.note
        made_from = create_from(origin, base, spec, engine, listener)
    whole = made_from.whole and not was_there
    record = record.advanced("created", phase=Phase.CREATED, note=made_from.image)
    record = record.model_copy(update={"made_whole": recipe_key(placement) if whole else ""})
    instance.write(record)
    return record, None if was_there else made_from.keys


def _refuse_missing(placement: Placement, index: frozenset[str], instance: Instance) -> None:
    error = missing_packages(placement.plan, index)
    if error is not None:
        # Nothing was made yet: nothing is left
        instance.remove()
        raise error


def _is_whole(record: Record) -> bool:
    """Whether the machine came from an image of just what is wanted, and is not in use yet."""
    return record.phase is Phase.CREATED and record.made_whole == recipe_key(record.placement)


def _woken(
    record: Record, instance: Instance, engine: Engine, context: Context, *, checks: bool
) -> CheckReport | None:
    """A clone is reached, and its apps answer: no playbook has anything to do in it."""
    plan, listener, name = record.plan, context.listener, record.placement.name
    status = status_of(engine, name)
    # R takes longest to start: it begins before we have logged in
    pages = direct_pages(plan.endpoints, status)
    with knocking(pages, timeout_s=status.patient(READY_TIMEOUT_S)):
        target = connect(instance, engine)
        with step(listener, name, "ssh"):
            wait_for_ssh(target, timeout_s=status.patient(SSH_TIMEOUT_S))
        record = record.advanced(
            "provisioned",
            phase=Phase.PROVISIONED,
            recipe_key=recipe_key(record.placement),
            note="as it was baked",
        )
        record = keep_provisioned(record, engine, listener)
        instance.write(record)
        if checks and plan.production is None:
            return verify_clone(instance, record, engine, context)
        _first_page(record.placement, status, context, target)
        # Facts of production are no part of an image's key: nobody has compared with these yet
        return verify(instance, record, engine, context) if checks else None


def _provisioned(
    record: Record, instance: Instance, engine: Engine, context: Context, *, again: bool
) -> tuple[Record, bool]:
    """The machine is what the plan says, and its apps answer.

    Returns:
        The record, and whether `reset` has what it needs; else only checks can tell what is good.
    """
    placement, plan, listener = record.placement, record.plan, context.listener
    wanted = recipe_key(placement)
    if record.phase is Phase.PROVISIONED and record.recipe_key == wanted and not again:
        target, status = _reached(instance, engine, listener)
        broken = found_broken(plan, status, target)
        if not broken:
            _first_page(record.placement, status, context, target)
            return record, True
        listener(Notice(placement.name, f"{broken}: running the playbooks again"))
        again = True
    secrets = context.secrets.all_of(needed_secrets(plan))
    # Half-done work must never pass for whole: forget the old recipe first
    record = record.model_copy(update={"phase": Phase.CREATED, "recipe_key": "", "made_whole": ""})
    instance.write(record)
    if isinstance(engine, RootExec):
        root = root_inside(engine, placement.name)
        bootstrap(placement, root, instance.folder, listener, secrets=secrets)
    target, status = _reached(instance, engine, listener)
    if not isinstance(engine, RootExec):
        bootstrap(placement, root_over_ssh(target), instance.folder, listener, secrets=secrets)
    if secrets:
        remember_given(instance, plan, secrets)
    result = _provision(placement, target, instance, engine, context, secrets, mend=again)
    if again:
        tell_put_back(placement.name, result, listener)
    # Limits and environment are given to a login when it begins: what follows must begin anew
    disconnect(target)
    note = f"{result.changed} changed"
    record = record.advanced("provisioned", phase=Phase.PROVISIONED, recipe_key=wanted, note=note)
    instance.write(record)
    _first_page(record.placement, status, context, target)
    # What they say is of the machine before
    (instance.folder / "checks.json").unlink(missing_ok=True)
    if has_provisioned(record, engine):
        return record, False
    record = keep_provisioned(record, engine, listener)
    instance.write(record)
    return record, True


def _reached(
    instance: Instance, engine: Engine, listener: Listener
) -> tuple[SshTarget, MachineStatus]:
    """The way into the machine, once a login works."""
    target, status = connect(instance, engine), status_of(engine, instance.name)
    with step(listener, instance.name, "ssh"):
        wait_for_ssh(target, timeout_s=status.patient(SSH_TIMEOUT_S))
    return target, status


def _proven_again(
    record: Record,
    report: CheckReport | None,
    instance: Instance,
    engine: Engine,
    context: Context,
) -> CheckReport | None:
    """What `reset` goes back to is taken anew when nothing is wrong: it must never be broken."""
    if report is None or report.ok:
        # Checked or not, the record may have changed since it was handed over
        record = instance.read() or record
        instance.write(keep_provisioned(record, engine, context.listener))
        return report
    report = after_repair(record.placement, report)
    instance.write_text("checks.json", report.model_dump_json(indent=1))
    return report


def _provision(  # noqa: PLR0917  (all that a run of the playbook needs)
    placement: Placement,
    target: SshTarget,
    instance: Instance,
    engine: Engine,
    context: Context,
    secrets: SecretValues,
    *,
    mend: bool,
) -> ProvisionResult:
    """Run the playbook; where the machine falls silent on the way, reach it anew, and once more."""
    try:
        return provision(
            placement, target, instance.folder, context.listener, secrets=secrets, mend=mend
        )
    except ConnectionLostError as error:
        # A laptop that slept, a host that stood still: what is done already takes no time again
        context.listener(Notice(placement.name, f"{error.message}: reaching it anew"))
        disconnect(target)
        target, status = connect(instance, engine), status_of(engine, placement.name)
        wait_for_ssh(target, timeout_s=status.patient(_SILENT_S))
        return provision(
            placement, target, instance.folder, context.listener, secrets=secrets, mend=mend
        )


def _first_page(
    placement: Placement, status: MachineStatus, context: Context, target: SshTarget
) -> None:
    with reached_pages(placement.plan.endpoints, status, target) as pages:
        if proven_by_page(pages):
            with step(context.listener, placement.name, "first page"):
                wait_for_pages(
                    pages,
                    name=placement.name,
                    timeout_s=status.patient(READY_TIMEOUT_S),
                    why=AskTheMachine(placement, target),
                )
