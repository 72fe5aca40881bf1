"""Take a sandbox back to how it was: snapshots by name, and the one that `up` keeps."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime

from sandbox.engines.base import Engine, Power, Snapshot, Snapshots
from sandbox.errors import SandboxError, UsageError
from sandbox.events import Listener, Notice, step
from sandbox.record import Record
from sandbox.ssh import SshTarget, disconnect
from sandbox.state import Instance, locked
from sandbox.summary import Phase
from sandbox.workflows.context import Context, status_of

PROVISIONED = "provisioned"
"""How the machine was after its last provisioning; `up` saves it, `reset` goes back to it."""

_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,38}[a-z0-9])?")


@dataclass(frozen=True)
class Saved:
    """A snapshot, as a user sees it."""

    name: str
    created_at: datetime


def save(name: str, snapshot: str | None, *, context: Context) -> str:
    """Keep the sandbox's disk as it is now; returns the snapshot's name.

    Raises:
        UsageError: no such sandbox, or the name cannot be.
        ProviderError: there is a snapshot of that name.
    """
    with _opened(name, context) as (instance, record, engine):
        chosen = _valid(snapshot) if snapshot is not None else _next_name(engine, name)
        with step(context.listener, name, f"save {chosen}"):
            engine.save_snapshot(name, chosen, context.listener)
        instance.write(record.advanced("snapshot saved", note=chosen))
    return chosen


def restore(name: str, snapshot: str | None, *, context: Context) -> str:
    """Take the sandbox back to a snapshot, by default the newest; returns its name.

    Raises:
        UsageError: no such sandbox, or it has no snapshot.
        ProviderError: no snapshot of that name.
    """
    with _opened(name, context) as (instance, record, engine):
        chosen = snapshot if snapshot is not None else _newest(engine, name)
        _go_back(instance, record, engine, chosen, context)
    return chosen


def reset(name: str, *, context: Context) -> None:
    """Take the sandbox back to how it was after its last provisioning, and let it run.

    Raises:
        UsageError: no such sandbox, or it was never provisioned.
    """
    with _opened(name, context) as (instance, record, engine):
        if PROVISIONED not in [one.name for one in engine.snapshots(name)]:
            raise UsageError(
                f"there is nothing to take {name} back to: it has no snapshot `{PROVISIONED}`",
                details="it was deleted, or could not be saved",
                hint=f"sandbox up {name} --provision puts back what the box says, and saves it; "
                f"for a machine as new: sandbox destroy {name}, then sandbox up again",
            )
        # Of an older recipe, if the box has changed since: then `up` has to bring it forward again
        recipe = record.kept_recipe or record.recipe_key
        kept = record.model_copy(update={"recipe_key": recipe})
        _go_back(instance, kept, engine, PROVISIONED, context)
        machine: Engine = context.engine(record.placement.provider)
        if status_of(machine, name).power is not Power.RUNNING:
            with step(context.listener, name, "start"):
                machine.start(name, context.listener)


def saved(name: str, *, context: Context) -> tuple[Saved, ...]:
    """The sandbox's snapshots, the oldest first.

    Raises:
        UsageError: no such sandbox, or its provider has no snapshots.
    """
    record = Instance(name).require()
    engine = _able(context, record)
    return tuple(Saved(one.name, one.created_at) for one in engine.snapshots(name))


def delete(name: str, snapshot: str, *, context: Context) -> None:
    """Forget a snapshot; the sandbox stays as it is.

    Raises:
        UsageError: no such sandbox.
        ProviderError: no snapshot of that name.
    """
    with _opened(name, context) as (instance, record, engine):
        with step(context.listener, name, f"delete {snapshot}"):
            engine.delete_snapshot(name, snapshot)
        instance.write(record.advanced("snapshot deleted", note=snapshot))


def has_provisioned(record: Record, engine: Engine) -> bool:
    """Whether there is a snapshot to `reset` to, and it is known of which recipe.

    Even an older one is worth more than one of a machine that may be broken in ways which no
    playbook mends.
    """
    if not isinstance(engine, Snapshots) or not record.kept_recipe:
        return False
    with suppress(SandboxError):
        return PROVISIONED in [one.name for one in engine.snapshots(record.placement.name)]
    return False


def keep_provisioned(record: Record, engine: Engine, listener: Listener) -> Record:
    """Save the machine as `provisioned`, in place of what was saved before; `up` calls it last.

    That there is no snapshot is worth a notice, and no reason for `up` to fail.

    Returns:
        The record, which knows what was saved.
    """
    name = record.placement.name
    if not isinstance(engine, Snapshots):
        return record
    try:
        with step(listener, name, "snapshot"):
            if PROVISIONED in [one.name for one in engine.snapshots(name)]:
                engine.delete_snapshot(name, PROVISIONED)
            engine.save_snapshot(name, PROVISIONED, listener)
    except SandboxError as error:
        listener(Notice(name, f"`sandbox reset` will not work: {error.message}: {error.details}"))
        return record
    return record.model_copy(update={"kept_recipe": record.recipe_key})


@contextmanager
def _opened(name: str, context: Context) -> Iterator[tuple[Instance, Record, Snapshots]]:
    with locked(name) as instance:
        record = instance.require()
        if record.phase is Phase.PLANNED:
            raise UsageError(f"{name} was never finished", hint=f"sandbox up {name}")
        yield instance, record, _able(context, record)


def _able(context: Context, record: Record) -> Snapshots:
    engine = context.engine(record.placement.provider)
    if not isinstance(engine, Snapshots):
        raise UsageError(f"{record.placement.provider} has no snapshots")
    return engine


def _go_back(
    instance: Instance, record: Record, engine: Snapshots, snapshot: str, context: Context
) -> None:
    config = instance.folder / "ssh_config"
    if config.exists():
        # Its end of the shared connection is about to vanish
        disconnect(SshTarget(host=instance.name, config=config))
    with step(context.listener, instance.name, f"restore {snapshot}"):
        engine.restore_snapshot(instance.name, snapshot, context.listener)
    # The checks looked at a machine that is no longer there
    (instance.folder / "checks.json").unlink(missing_ok=True)
    instance.write(record.advanced("snapshot restored", note=snapshot))


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
