"""Probe a sandbox and run its checks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.checks.results import CheckReport, Goal
from sandbox.errors import UsageError
from sandbox.events import Notice, step
from sandbox.facts.facts import Facts
from sandbox.guest.guest import Guest
from sandbox.guest.hashes import hash_key
from sandbox.probe.untaken import HashKey
from sandbox.record import Record
from sandbox.state import locked
from sandbox.summary import Phase
from sandbox.workflows.box_changes import BoxChanges, box_has_changed
from sandbox.workflows.context import Context


@dataclass(frozen=True)
class Against:
    """The present facts of production, instead of the facts that a box names."""

    name: str
    """The user's word for it: `sandbox diff` understands the same word."""
    read: Callable[[HashKey], Facts]
    """Called with the key of the hashes; reads production now."""


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
        name: the name of the sandbox.
        context: the listener, the providers and the place.
        goals: only these goals; all when empty.
        quick: end no process on the machine.
        against: production, read again.

    Raises:
        UsageError: no such sandbox, its `up` never finished, or it does not run.
    """
    with locked(name) as instance:
        record = instance.require()
        _require_finished(record)
        if changed := BoxChanges().changed(instance.folder):
            context.listener(Notice(name, box_has_changed(name, changed)))
        own = context.agreed_checks(record.plan)
        guest = context.guest(record.placement, instance)
        guest.require_running()
        if against is None:
            return guest.check(own, goals, quick=quick)
        with step(context.listener, name, "read production"):
            production = against.read(hash_key(instance))
        # The checks are made from the plan, which may name no production, or an older one
        plan = record.plan.model_copy(update={"production": Path(against.name)})
        guest = context.guest(record.placement.with_plan(plan), instance)
        return guest.check(own, goals, quick=quick, production=production)


def verify(guest: Guest, context: Context) -> CheckReport:
    """Run all checks of a running machine, the box's own too; the caller holds the lock.

    Raises:
        UsageError: nobody has agreed to the box's own checks.
    """
    return guest.check(context.agreed_checks(guest.plan))


def _require_finished(record: Record) -> None:
    if record.phase is not Phase.PROVISIONED:
        name = record.placement.name
        raise UsageError(
            f"{name} is not finished, so there is nothing to check yet", hint=f"sandbox up {name}"
        )
