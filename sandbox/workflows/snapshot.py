"""Take a sandbox back to an earlier state: snapshots by name, and the one that `up` keeps."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime

from sandbox.errors import SandboxError, UsageError
from sandbox.events import step
from sandbox.guest.guest import Guest
from sandbox.guest.passwords import NewPassword, give_missing_passwords
from sandbox.providers.abilities import Snapshot, Snapshots
from sandbox.providers.engine import Power
from sandbox.record import Record
from sandbox.state import locked
from sandbox.summary import Phase
from sandbox.workflows.context import Context

PROVISIONED = "provisioned"
"""The machine after its last provisioning; `up` saves this snapshot, `reset` goes back to it."""

_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,38}[a-z0-9])?")


@dataclass(frozen=True)
class Saved:
    """A snapshot, as a user sees it."""

    name: str
    created_at: datetime


def save(name: str, snapshot: str | None, *, context: Context) -> str:
    """Keep the sandbox's disk as it is now; returns the snapshot's name.

    Raises:
        UsageError: no such sandbox, or the name is not possible.
        ProviderError: there is a snapshot of that name.
    """
    with _opened(name, context) as (guest, record, engine):
        chosen = _valid(snapshot) if snapshot is not None else _next_name(engine, name)
        with step(context.listener, name, f"save {chosen}"):
            engine.save_snapshot(name, chosen, context.listener)
        guest.write(record.advanced("snapshot saved", note=chosen))
    return chosen


def restore(name: str, snapshot: str | None, *, context: Context) -> str:
    """Take the sandbox back to a snapshot, by default the newest; returns its name.

    Raises:
        UsageError: no such sandbox, or it has no snapshot.
        ProviderError: no snapshot of that name.
    """
    with _opened(name, context) as (guest, record, engine):
        chosen = snapshot if snapshot is not None else _newest(engine, name)
        _go_back(guest, record, engine, chosen)
    return chosen


def reset(name: str, *, context: Context) -> tuple[NewPassword, ...]:
    """Take the sandbox back to how it was after its last provisioning, and let it run.

    Returns:
        New passwords, to be shown once: the snapshot is from before anybody had one.

    Raises:
        UsageError: no such sandbox, or it was never provisioned.
    """
    with _opened(name, context) as (guest, record, engine):
        if PROVISIONED not in [one.name for one in engine.snapshots(name)]:
            raise UsageError(
                f"there is nothing to take {name} back to: it has no snapshot `{PROVISIONED}`",
                details="it was deleted, or could not be saved",
                hint=f"sandbox up {name} --provision puts back what the box says, and saves it; "
                f"for a machine as new: sandbox destroy {name}, then sandbox up again",
            )
        # The snapshot may have an older recipe than the box: then the next `up` applies the new one
        recipe = record.kept_recipe or record.recipe_key
        kept = record.model_copy(update={"recipe_key": recipe})
        _go_back(guest, kept, engine, PROVISIONED)
        if guest.status().power is not Power.RUNNING:
            guest.start()
        if not guest.plan.users_with_password:
            return ()
        guest.reach(guest.status())
        return give_missing_passwords(guest)


def saved(name: str, *, context: Context) -> tuple[Saved, ...]:
    """List the sandbox's snapshots, the oldest first.

    Raises:
        UsageError: no such sandbox, or its provider has no snapshots.
    """
    engine = _able(context.guest_named(name))
    return tuple(Saved(one.name, one.created_at) for one in engine.snapshots(name))


def delete(name: str, snapshot: str, *, context: Context) -> None:
    """Forget a snapshot; the sandbox stays as it is.

    Raises:
        UsageError: no such sandbox.
        ProviderError: no snapshot of that name.
    """
    with _opened(name, context) as (guest, record, engine):
        with step(context.listener, name, f"delete {snapshot}"):
            engine.delete_snapshot(name, snapshot)
        guest.write(record.advanced("snapshot deleted", note=snapshot))


def has_provisioned(guest: Guest, record: Record) -> bool:
    """Tell whether there is a snapshot for `reset`, with a known recipe.

    Even an older one is better than a snapshot of a machine that may be broken in ways which no
    playbook mends.
    """
    engine = guest.engine
    if not isinstance(engine, Snapshots) or not record.kept_recipe:
        return False
    with suppress(SandboxError):
        return PROVISIONED in [one.name for one in engine.snapshots(guest.name)]
    return False


def keep_provisioned(guest: Guest, record: Record) -> Record:
    """Save the machine as `provisioned`, in place of the snapshot before; `up` calls it last.

    A failure to save is only a notice: `up` does not fail.

    Returns:
        The record, which notes the snapshot.
    """
    name, engine = guest.name, guest.engine
    if not isinstance(engine, Snapshots):
        return record
    try:
        with step(guest.listener, name, "snapshot"):
            if PROVISIONED in [one.name for one in engine.snapshots(name)]:
                engine.delete_snapshot(name, PROVISIONED)
            engine.save_snapshot(name, PROVISIONED, guest.listener)
    except SandboxError as error:
        guest.tell(f"`sandbox reset` will not work: {error.message}: {error.details}")
        return record
    return record.model_copy(update={"kept_recipe": record.recipe_key})


@contextmanager
def _opened(name: str, context: Context) -> Iterator[tuple[Guest, Record, Snapshots]]:
    with locked(name) as instance:
        record = instance.require()
        if record.phase is Phase.PLANNED:
            raise UsageError(f"{name} was never finished", hint=f"sandbox up {name}")
        guest = context.guest(record.placement, instance)
        yield guest, record, _able(guest)


def _able(guest: Guest) -> Snapshots:
    if not isinstance(guest.engine, Snapshots):
        raise UsageError(f"{guest.placement.provider} has no snapshots")
    return guest.engine


def _go_back(guest: Guest, record: Record, engine: Snapshots, snapshot: str) -> None:
    # The other end of the shared connection is about to go away
    guest.hang_up()
    with step(guest.listener, guest.name, f"restore {snapshot}"):
        engine.restore_snapshot(guest.name, snapshot, guest.listener)
    # The checks looked at a state that is gone
    (guest.folder / "checks.json").unlink(missing_ok=True)
    guest.write(record.advanced("snapshot restored", note=snapshot))


def _valid(name: str) -> str:
    if _NAME.fullmatch(name) is None:
        raise UsageError(
            f"`{name}` cannot be the name of a snapshot",
            details="lower case letters, digits, dots and dashes, 40 at most",
        )
    return name


def _next_name(engine: Snapshots, name: str) -> str:
    names = {one.name for one in engine.snapshots(name)}
    return next(
        candidate
        for candidate in (f"snap-{number}" for number in range(1, len(names) + 2))
        if candidate not in names
    )


def _newest(engine: Snapshots, name: str) -> str:
    own: list[Snapshot] = [one for one in engine.snapshots(name) if one.name != PROVISIONED]
    if not own:
        raise UsageError(
            f"{name} has no snapshot",
            hint=f"sandbox snapshot save {name}; sandbox reset {name} goes back to the start",
        )
    return own[-1].name
