"""`sandbox lock`: write down every byte that a box's machine would be made of.

A machine that is thrown away again says what its apt would bring; nothing is installed in it.
"""

import shlex
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sandbox import __version__
from sandbox.box_lock.errors import DiffersFromLockError, differences
from sandbox.box_lock.model import BoxLock, LockedBase, LockedDeb, LockedFile, MachineLock
from sandbox.box_lock.text import lock_path, lock_text, read_lock
from sandbox.errors import ProvisionError, UsageError
from sandbox.events import step
from sandbox.files import hand_over
from sandbox.guest.guest import Guest
from sandbox.materials.archive import Cargo
from sandbox.materials.installed import FOLDER
from sandbox.materials.lock_answers import OddAnswerError, locked_system, read_lock_answer
from sandbox.obtained import Obtained
from sandbox.placement import Placement
from sandbox.spec.problem import short
from sandbox.state import Instance, locked
from sandbox.workflows.base import prepare_base
from sandbox.workflows.bring_files import send_cargo
from sandbox.workflows.context import Context
from sandbox.workflows.files_to_fetch import with_files
from sandbox.workflows.lock_inputs import inputs_of, machine_of, machine_title, stale_inputs
from sandbox.workflows.lock_moving import refuse_moving
from sandbox.workflows.make_machine import make_bare
from sandbox.workflows.power import destroy

_NAME = "lock-"
_AT_ONCE = 8


@dataclass(frozen=True)
class Locked:
    """A lock that was written, or that fits."""

    path: Path
    machine: MachineLock
    changed: bool


def lock(placement: Placement, *, context: Context) -> Locked:
    """Lock a box for its base and this kind of processor, and leave no machine behind.

    Raises:
        BoxError: the box asks for another R every day.
        FetchError: a file cannot be had.
        SandboxError: as in `up`.
    """
    refuse_moving(placement.plan)
    # Before anything long is done: a damaged lock file is not written over
    old = _earlier(placement)
    wanted = with_files(placement, context, again=True)
    machine = _asked(placement, wanted, context)
    return _written(placement, machine, old)


def write_lock(placement: Placement, machine: MachineLock) -> Locked:
    """Write the part of a lock that is for this base and kind of processor; the others stay.

    Raises:
        UsageError: the file cannot be written.
    """
    return _written(placement, machine, _earlier(placement))


def _earlier(placement: Placement) -> BoxLock | None:
    path = lock_path(placement.plan.box_path)
    return read_lock(path) if path.exists() else None


def _asked(original: Placement, wanted: Placement, context: Context) -> MachineLock:
    name = f"{_NAME}{wanted.key}"
    # What a killed lock has left: nobody knows its state
    if Instance(name).exists():
        destroy(name, context=context)
    try:
        with locked(name) as instance:
            guest = context.guest(wanted.renamed(name), instance)
            target = make_bare(guest, context)
            debs = _send_debs(guest, context)
            with step(guest.listener, name, "ask apt") as note:
                answer = guest.ask_for_lock(debs, target)
                try:
                    system = locked_system(read_lock_answer(answer))
                except OddAnswerError as error:
                    raise ProvisionError(
                        "the packages cannot be locked", details=str(error)
                    ) from error
                note.text = f"{len(system.new_debs)} packages"
            plan = guest.plan
            base = prepare_base(guest.placement, context)
    finally:
        if Instance(name).exists():
            destroy(name, context=context)
    _keep(wanted, system.new_debs, context)
    return MachineLock(
        date=datetime.now(UTC).date().isoformat(),
        base=LockedBase(name=plan.base.name, image=base.identity),
        inputs=inputs_of(original.plan),
        left_out=plan.left_out,
        debs=system.debs,
        from_base=system.from_base,
        files=tuple(LockedFile.of(one) for one in plan.materials.files),
        debian_packages=plan.materials.debian_packages,
    )


def _send_debs(guest: Guest, context: Context) -> tuple[str, ...]:
    """Send the packages of R builds and RStudio: apt has to know what they need."""
    files = [one for one in guest.plan.materials.files if _is_deb(one)]
    if not files:
        return ()
    fetcher = context.fetcher(guest.plan, sandbox=guest.name)
    cargo = [
        Cargo(fetcher.obtain([one.url], sha256=one.sha256).path, f"{FOLDER}/{one.file_name}")
        for one in files
    ]
    send_cargo(guest, guest.login(), cargo)
    return tuple(one.target for one in cargo)


def _is_deb(file: Obtained) -> bool:
    return file.kind in {"r", "rstudio"} and file.file_name.endswith(".deb")


def _keep(placement: Placement, debs: Sequence[LockedDeb], context: Context) -> None:
    """Fetch what the lock names, so that it is here when the archive has it no more."""
    fetcher = context.fetcher(placement.plan, sandbox=placement.name)
    with (
        step(context.listener, placement.name, "keep") as note,
        ThreadPoolExecutor(_AT_ONCE) as pool,
    ):
        found = list(pool.map(lambda one: fetcher.obtain([one.url], sha256=one.sha256), debs))
        size_mb = sum(one.size_bytes for one in found) / 1e6
        note.text = f"{len(found)} packages, {size_mb:.0f} MB"


def _written(placement: Placement, machine: MachineLock, old: BoxLock | None) -> Locked:
    plan = placement.plan
    path, title = lock_path(plan.box_path), machine_title(plan)
    machines = dict(old.machines) if old is not None else {}
    before = machines.get(title)
    if before is not None and before == machine.model_copy(update={"date": before.date}):
        # A new date alone is no change
        return Locked(path, before, changed=False)
    # Of another base the box asks for nothing any more; another processor's part stays
    kept = {one: part for one, part in machines.items() if part.base.name == plan.base.name}
    made = BoxLock(sandbox=__version__, machines={**kept, title: machine})
    try:
        hand_over(path, lock_text(made))
    except OSError as error:
        raise UsageError(
            f"the lock file {short(path)} cannot be written: {error.strerror}",
            hint="copy the box to a folder of your own: sandbox init shows how",
        ) from error
    return Locked(path, machine, changed=True)


def fitting_lock(placement: Placement) -> Locked:
    """Return the lock of a box that fits it; asks no machine and no network.

    Raises:
        UsageError: there is none for this base and kind of processor.
        DiffersFromLockError: the box was changed since.
        BoxError: the lock file is damaged.
    """
    plan = placement.plan
    path = lock_path(plan.box_path)
    command = f"sandbox lock {shlex.quote(short(plan.box_path))}"
    if not path.exists():
        raise UsageError(
            f"there is no lock of {plan.box_name}: {short(path)} is not there", hint=command
        )
    found = read_lock(path)
    machine = machine_of(plan, found)
    if machine is None:
        raise UsageError(
            f"{short(path)} has nothing for {machine_title(plan)}",
            details=f"it has: {', '.join(sorted(found.machines))}",
            hint=command,
        )
    if changes := stale_inputs(plan, machine):
        raise DiffersFromLockError(
            f"the box differs from its lock {short(path)}",
            details=differences(changes),
            hint=f"{command} writes it anew, or take the change back",
        )
    return Locked(path, machine, changed=False)
