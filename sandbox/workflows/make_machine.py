"""The full run of `sandbox up`: make the machine, provision it, check it, keep it."""

import math
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module

from sandbox.baking import BakeKeys, CacheUse, recipe_digest, recipe_key
from sandbox.checks.results import CheckReport
from sandbox.errors import HostError, ProviderError, UsageError
from sandbox.events import step
from sandbox.guest.guest import Guest
from sandbox.guest.passwords import NewPassword, give_missing_passwords
from sandbox.images.sources import archives_ahead
from sandbox.missing import missing_packages
from sandbox.placement import Placement
from sandbox.plan import HostLimits, exceeds_host
from sandbox.providers.abilities import Isolation, Settling
from sandbox.providers.engine import Power
from sandbox.record import Record
from sandbox.secret_values import needed_secrets
from sandbox.ssh import SshTarget
from sandbox.summary import Phase
from sandbox.workflows.base import prepare_base
from sandbox.workflows.context import STOP_TIMEOUT_S, Context, require_usable
from sandbox.workflows.fetch_ahead import fetching_ahead
from sandbox.workflows.files_to_fetch import with_files
from sandbox.workflows.image_choice import Oven, choose_origin, create_from, keep_baked
from sandbox.workflows.locked_machine import require_locked
from sandbox.workflows.machine_spec import machine_spec, record_elsewhere
from sandbox.workflows.rebuild import leave_out_missing, tell_rebuild
from sandbox.workflows.repair import after_repair, tell_put_back
from sandbox.workflows.snapshot import has_provisioned, keep_provisioned
from sandbox.workflows.unsynced import forget_unsynced, installing_unsynced, may_be_torn

NEEDED_DISK_GB = 2
"""With less, not even the base image and R fit."""


@dataclass(frozen=True)
class MadeMachine:
    """What came of making a machine."""

    report: CheckReport | None
    """The checks that ran; None with `checks` off."""
    passwords: tuple[NewPassword, ...] = ()
    """To be shown once."""


def make(
    guest: Guest, context: Context, *, cache: CacheUse, checks: bool, again: bool
) -> MadeMachine:
    """Make the machine match the plan, from any state; the caller holds the lock.

    Returns:
        The checks that ran, and passwords that people got.

    Raises:
        SandboxError: see errors.py; running it again goes on from the last whole step.
    """
    with ExitStack() as stack:
        if _will_provision(guest, again=again):
            # Before anything is touched: perhaps nobody can give them
            _ask_for_secrets(guest, context)
        archives = None
        if _is_new(guest):
            archives = stack.enter_context(archives_ahead())
            # Reads two hundred files, while this process waits for the provider's answers
            _in_background(recipe_digest)
        _refuse_impossible(guest, context)
        guest.placement = with_files(guest.placement, context, again=cache is CacheUse.FRESH)
        tell_rebuild(guest.placement, guest.listener)
        oven = Oven(cache, will_check=checks, lock=stack, archives=archives)
        with fetching_ahead(guest.placement, context) as ahead:
            record, keys = _created(guest, context, replace(oven, ahead=ahead))
        if _is_whole(record) and not again:
            report = _woken(guest, record, context, checks=checks)
            return MadeMachine(report, _passwords(guest, checks=checks))
        record, kept = _provisioned(guest, record, context, again=again)
        if guest.plan.locked is not None:
            require_locked(guest, guest.login())
        report = _verified(guest, context) if checks else None
        if not kept:
            report = _proven_again(guest, record, report)
        if keys is not None and report is not None and report.ok:
            keep_baked(guest, keys)
        return MadeMachine(report, _passwords(guest, checks=checks))


def make_bare(guest: Guest, context: Context) -> SshTarget:
    """Make the machine from its base image, ready for apt, and install nothing of the plan.

    Raises:
        SandboxError: as in `make`.
    """
    with ExitStack() as stack:
        archives = stack.enter_context(archives_ahead())
        _refuse_impossible(guest, context)
        _created(guest, context, Oven(CacheUse.OFF, False, stack, archives))  # noqa: FBT003
        proxies = [one for one in needed_secrets(guest.plan) if "proxy" in one.kinds]
        target, _ = guest.bootstrap(context.secrets.all_of(proxies))
        return target


def _verified(guest: Guest, context: Context) -> CheckReport:
    # A clone has checks of its own
    from sandbox.workflows.check import verify

    return verify(guest, context)


def _passwords(guest: Guest, *, checks: bool) -> tuple[NewPassword, ...]:
    """Let people in, once the machine is proven, and kept as an image without any password."""
    if not checks:
        guest.first_session()
    return give_missing_passwords(guest)


def _will_provision(guest: Guest, *, again: bool) -> bool:
    if again or not needed_secrets(guest.plan):
        return again
    record = guest.read()
    if record is None or record.phase is not Phase.PROVISIONED:
        return True
    gone = guest.status().power is Power.ABSENT
    return gone or record.recipe_key != recipe_key(guest.placement)


def _ask_for_secrets(guest: Guest, context: Context) -> None:
    if needed := needed_secrets(guest.plan):
        context.secrets.all_of(needed)
        # A box may name any variable: the user must see that its machine gets the value
        guest.tell(f"secrets for {guest.name}: {context.secrets.origins()}")


def _is_new(guest: Guest) -> bool:
    record = guest.read()
    return record is None or record.phase is Phase.PLANNED


def _refuse_fresh(guest: Guest, cache: CacheUse) -> None:
    if cache is CacheUse.FRESH:
        raise UsageError(
            f"the sandbox {guest.name} is there already, and --fresh is for making one",
            hint=f"sandbox destroy {guest.name}, then again",
        )


def _refuse_impossible(guest: Guest, context: Context) -> None:
    require_usable(guest.engine, guest.listener, guest.name)
    placement, name = guest.placement, guest.name
    limits = context.providers[placement.provider].limits(context.place)
    if limits is not None:
        _refuse_too_large(placement, limits)
    status = guest.status()
    if guest.read() is None and status.power is not Power.ABSENT:
        details = "its state folder was removed, or it was made by another user"
        hint = f"sandbox destroy {name}, or choose another name with --name"
        if theirs := record_elsewhere(status, guest.folder):
            details = f"it belongs to another user's sandbox: its record is in {theirs}"
            hint = "choose another name with --name"
        raise ProviderError(
            f"{placement.provider} has a machine {name} that sandbox has no record of",
            details=details,
            hint=hint,
        )


def _refuse_too_large(placement: Placement, limits: HostLimits) -> None:
    # A machine's disk is a limit, not a reservation: only the room to begin counts
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


def _created(guest: Guest, context: Context, oven: Oven) -> tuple[Record, BakeKeys | None]:
    """Make, start and record the machine, before anything is done inside it.

    Returns:
        The record, and the keys for baking the machine once it is proven; None: do not bake it.
    """
    record, engine = guest.read(), guest.engine
    status = guest.status()
    if record is not None and record.phase is not Phase.PLANNED and status.power is Power.ABSENT:
        guest.tell("its machine is gone: making a new one")
        record = None
    elif record is not None and status.power is not Power.ABSENT and may_be_torn(guest):
        guest.tell(
            "this host was started again while the machine's packages were being installed, and "
            "some of them may not have reached the disk: making the machine anew"
        )
        engine.destroy(guest.name)
        record, status = None, guest.status()
    if record is None:
        forget_unsynced(guest)
    if record is not None and status.power is not Power.ABSENT:
        _refuse_fresh(guest, oven.cache)
    # From here on `destroy` and `list` know of it, whatever happens next
    wanted = guest.placement
    record = Record(placement=wanted) if record is None else record.wanting(wanted)
    guest.write(record)
    keys = None
    if record.phase is Phase.PLANNED:
        record, keys = _made(guest, record, context, oven)
    else:
        if isinstance(engine, Settling):
            # A `stop` that was killed goes on at the provider
            engine.settle(guest.name)
        _set_isolation(guest)
    status = guest.status()
    dead = guest.sshd_is_dead(status)
    # A running machine may have been cut off before its login was prepared: `start` does the rest
    if record.phase is Phase.CREATED or status.power is not Power.RUNNING or dead:
        guest.start()
    elif status.power is Power.RUNNING:
        guest.restore_login()
    if record.phase is Phase.PROVISIONED and dead and guest.lacks_sshd():
        # The bootstrap script installs it
        record = record.model_copy(update={"phase": Phase.CREATED, "recipe_key": ""})
        guest.write(record)
    return record, keys


def _set_isolation(guest: Guest) -> None:
    """Start the machine again with another network card, where the box has changed that."""
    engine, name = guest.engine, guest.name
    if not isinstance(engine, Isolation):
        return
    isolated = guest.plan.machine.isolated
    # The state of a machine of an older version is not known: its next start isolates it
    if engine.is_isolated(name) is (not isolated):
        with step(guest.listener, name, "isolate" if isolated else "let others in"):
            guest.engine.stop(name, timeout_s=STOP_TIMEOUT_S)
            engine.isolate(name, isolated=isolated)


def _made(
    guest: Guest, record: Record, context: Context, oven: Oven
) -> tuple[Record, BakeKeys | None]:
    """Create the machine, from a baked image where there is one."""
    base = prepare_base(guest.placement, context, oven.archives, oven.ahead)
    if base.packages is not None:
        leave_out_missing(guest, base.packages)
        record = record.wanting(guest.placement)
        _refuse_missing(guest, base.packages)
    placement = guest.placement
    origin = choose_origin(guest, base, oven)
    key = guest.make_key()
    spec = machine_spec(placement, image=base.image, key=key, folder=guest.folder)
    # An earlier run may have asked for it and died: then nobody knows what it was made from
    was_there = guest.status().power is not Power.ABSENT
    with step(guest.listener, guest.name, origin.title) as note:
        note.text = origin.note
        made_from = create_from(origin, base, spec, guest)
    whole = made_from.whole and not was_there
    if whole and oven.will_check:
        _load_checks()
    record = record.advanced("created", phase=Phase.CREATED, note=made_from.image)
    record = record.model_copy(update={"made_whole": recipe_key(placement) if whole else ""})
    guest.write(record)
    return record, None if was_there else made_from.keys


def _load_checks() -> None:
    """Import in the background what checks a clone: while the machine boots, we only wait."""
    _in_background(partial(import_module, "sandbox.guest.checking"))


def _in_background(work: Callable[[], object]) -> None:
    """Do what is needed later anyway; nobody waits for it, and its outcome is kept elsewhere."""
    threading.Thread(target=work, daemon=True).start()


def _refuse_missing(guest: Guest, index: frozenset[str]) -> None:
    error = missing_packages(guest.plan, index)
    if error is not None:
        # Nothing was made yet, so leave nothing
        guest.instance.remove()
        raise error


def _is_whole(record: Record) -> bool:
    """Whether the machine came from an image of the wanted plan, and is not in use yet."""
    return record.phase is Phase.CREATED and record.made_whole == recipe_key(record.placement)


def _woken(guest: Guest, record: Record, context: Context, *, checks: bool) -> CheckReport | None:
    """Reach a clone, and wait for its apps; no playbook has anything to do in it."""
    status = guest.status()
    # R takes longest to start: it begins before we have logged in
    with guest.knocking(status):
        target = guest.reach(status)
        record = record.advanced(
            "provisioned",
            phase=Phase.PROVISIONED,
            recipe_key=recipe_key(record.placement),
            note="as it was baked",
        )
        guest.write(keep_provisioned(guest, record))
        if checks and guest.plan.production is None:
            return guest.check_clone()
        with guest.reached_pages(status, target) as pages:
            guest.first_page(pages, status, target)
        # Facts of production are no part of an image's key: nobody has compared with these yet
        return _verified(guest, context) if checks else None


def _provisioned(
    guest: Guest, record: Record, context: Context, *, again: bool
) -> tuple[Record, bool]:
    """Provision the machine until it matches the plan and its apps answer.

    Returns:
        The record, and whether `reset` has a snapshot; without one, only checks can tell.
    """
    placement, plan = guest.placement, guest.plan
    wanted = recipe_key(placement)
    if record.phase is Phase.PROVISIONED and record.recipe_key == wanted and not again:
        status = guest.status()
        target = guest.reach(status)
        broken = guest.no_page_before_mending(status, target)
        if not broken:
            with guest.reached_pages(status, target) as pages:
                guest.first_page(pages, status, target)
            return record, True
        guest.tell(f"{broken}: running the playbooks again")
        again = True
    secrets = context.secrets.all_of(needed_secrets(plan))
    # Half-done work must never count as whole: forget the old recipe first
    record = record.model_copy(update={"phase": Phase.CREATED, "recipe_key": "", "made_whole": ""})
    guest.write(record)
    target, status = guest.bootstrap(secrets)
    if secrets:
        from sandbox.guest.hashes import remember_given

        remember_given(guest.instance, plan, secrets)
    # A clone gets no files, and need not wait for this import
    from sandbox.workflows.bring_files import bring_files

    bring_files(guest, context, target, mend=again)
    with installing_unsynced(guest, record, target) as apt_config:
        result = guest.provision(target, secrets, mend=again, apt_config=apt_config)
    if again:
        tell_put_back(guest, result)
    # A login gets its limits and environment when it begins: log in again for the next steps
    guest.end_session(target)
    note = f"{result.changed} changed"
    record = record.advanced("provisioned", phase=Phase.PROVISIONED, recipe_key=wanted, note=note)
    guest.write(record)
    with guest.reached_pages(status, target) as pages:
        guest.first_page(pages, status, target)
    # The earlier results are about the machine before
    (guest.folder / "checks.json").unlink(missing_ok=True)
    if has_provisioned(guest, record):
        return record, False
    record = keep_provisioned(guest, record)
    guest.write(record)
    return record, True


def _proven_again(guest: Guest, record: Record, report: CheckReport | None) -> CheckReport | None:
    """Save the snapshot for `reset` again when all is well: it must never hold a broken machine."""
    if report is None or report.ok:
        # Checked or not, the record may have changed since we got it
        guest.write(keep_provisioned(guest, guest.read() or record))
        return report
    report = after_repair(guest.placement, report)
    guest.instance.write_text("checks.json", report.model_dump_json(indent=1))
    return report
