"""Close a workshop: collect everybody's work, remove all of it, and count until nothing is left."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from sandbox.deadline import Deadline, wait_until
from sandbox.errors import ProviderError, UsageError
from sandbox.events import Notice, StepOutput, ignore, step
from sandbox.providers.seats import SeatMachine, Seats
from sandbox.saved import BrokenFileError, read_json
from sandbox.state import Instance
from sandbox.workflows.context import Context
from sandbox.workflows.power import destroy
from sandbox.workflows.workshop import collect, keeper, proxy
from sandbox.workflows.workshop.model_plan import error_words
from sandbox.workflows.workshop.running import RunningWorkshop, first_answering, seats_at
from sandbox.workflows.workshop.side_by_side import SeatOutcome, side_by_side
from sandbox.workflows.workshop.up import alone
from sandbox.workshop.homes import HomesManifest
from sandbox.workshop.names import model_name
from sandbox.workshop.store import WorkshopStore

LEFT_S: Final = 60.0
"""So long the machines may take to be gone."""
_EVERY_S: Final = 1.0
_AT_ONCE: Final = 4


@dataclass(frozen=True)
class Closed:
    """What became of a workshop that was closed."""

    name: str
    folder: Path | None
    """Where everybody's work is; None when nobody wanted it."""
    collected: HomesManifest | None
    machines: int
    """How many were removed by this command."""


@dataclass(frozen=True)
class _Remains:
    """What there is to remove, however much of the workshop's folder can still be read."""

    store: WorkshopStore
    seats: Seats
    context: Context

    @property
    def name(self) -> str:
        return self.store.name

    def away(self) -> frozenset[str]:
        """The servers that do not answer now."""
        return frozenset(one.name for one in self.seats.members() if not one.online)


def close(ws: RunningWorkshop, folder: Path | None) -> Closed:
    """Collect the work of all seats into `folder`, and remove the workshop. Safe to do again.

    Args:
        ws: the workshop.
        folder: gets the archives; None: nothing is collected, and all work is lost.

    Raises:
        ProviderError: of some seats there is no archive (nothing was removed), or something is
            still there in the end; `details` has the names.
        SandboxError: as in `collect`; nothing was removed.
    """
    with alone(ws.store):
        # From here on nobody makes a machine, and the keeper ends by itself
        record = ws.store.change_record(lambda one: one.model_copy(update={"is_closing": True}))
        ws = replace(ws, record=record)
        keeper.end_keeper(ws.store)
        proxy.stop_proxy(ws)
        remains = _Remains(ws.store, ws.seats, ws.context)
        _tell_of_away(remains)
        manifest = _collected(ws, folder) if folder is not None else None
        removed = _remove_all(remains)
        return Closed(ws.name, folder, manifest, removed)


def close_remains(name: str, context: Context, *, may_lose: bool) -> Closed:
    """Remove what is left of a workshop whose record is gone or damaged: nothing can be collected.

    Args:
        name: the workshop's.
        context: where its machines are, when the record does not say it any more.
        may_lose: remove machines too, with all work in them.

    Raises:
        UsageError: nothing of such a workshop is there, or machines are and may not be lost.
        ProviderError: something is still there in the end; `details` has the names.
    """
    store = WorkshopStore(name)
    with alone(store):
        remains = _Remains(store, seats_at(_remote_of(store, context), context), context)
        if not store.exists() and not remains.seats.left(name):
            raise UsageError(
                f"there is no workshop {name}", hint="sandbox workshop list shows those that are"
            )
        machines = remains.seats.machines(name)
        if machines and not may_lose:
            raise UsageError(
                f"the record of {name} cannot be read, so nobody's work can be collected",
                details="\n".join(one.name for one in machines),
                hint=f"when their work may be lost: sandbox workshop down {name} --no-collect",
            )
        keeper.end_keeper(store)
        proxy.end_proxy(store)
        _tell_of_away(remains)
        return Closed(name, None, None, _remove_all(remains))


def _remote_of(store: WorkshopStore, context: Context) -> str:
    """The place of its machines, as far as a damaged record still says so."""
    with suppress(BrokenFileError):
        said = read_json(store.folder / "workshop.json")
        if isinstance(said, dict) and isinstance(said.get("remote"), str):
            return str(said["remote"])
    return first_answering((), context)


def _collected(ws: RunningWorkshop, folder: Path) -> HomesManifest:
    try:
        with step(ws.listener, ws.name, "collect") as note:
            manifest = collect.collect(ws, folder)
            note.text = f"{len(manifest.homes)} archives in {folder}"
    except BrokenFileError as error:
        raise BrokenFileError(
            error.path,
            error.reason,
            message=f"nobody's work in {ws.name} can be collected: {error.message}",
            hint=f"when the work may be lost: sandbox workshop down {ws.name} --no-collect",
        ) from error
    # A seat that never had a machine has no work
    had_one = {f"seat{one.number:02d}" for one in ws.map().seats if one.generation}
    if missing := [one for one in manifest.missing if one in had_one]:
        raise ProviderError(
            f"{ws.name} is not removed: there is no archive of {', '.join(missing)}",
            details=f"the others are in {folder}",
            hint=f"when their work may be lost: sandbox workshop down {ws.name} --no-collect",
        )
    return manifest


def _remove_all(remains: _Remains) -> int:
    name, context = remains.name, remains.context
    with step(context.listener, name, "remove") as note:
        removed = _remove_machines(remains, remains.away())
        model = model_name(name)
        if Instance(model).exists():
            destroy(model, context=context)
        left, away = _left_in_the_end(remains)
        note.text = f"{removed} machines"
    if left:
        raise _something_left(name, left, away)
    remains.store.remove()
    return removed


def _tell_of_away(remains: _Remains) -> None:
    if away := remains.away():
        text = f"{', '.join(sorted(away))}: no answer; what is there stays there for now"
        remains.context.listener(Notice(remains.name, text))


def _something_left(name: str, left: Sequence[str], away: frozenset[str]) -> ProviderError:
    again = f"sandbox workshop down {name}"
    if not away:
        return ProviderError(
            f"something of {name} is still there",
            details="\n".join(left),
            hint=f"{again} does the rest",
        )
    gone, many = " and ".join(sorted(away)), len(away) > 1
    return ProviderError(
        f"{gone} {'do' if many else 'does'} not answer, and something of {name} is still there",
        details="\n".join(left),
        hint=f"when {'they are' if many else 'it is'} back: {again}\n"
        f"when {'one' if many else 'it'} is gone for good: incus cluster remove --force "
        f"{min(away)}, then the same",
    )


def _left_in_the_end(remains: _Remains) -> tuple[tuple[str, ...], frozenset[str]]:
    """Count again and again: somebody may have begun a machine just before it was closing.

    What is on a server that does not answer cannot go, and all servers are needed to remove a
    network: that is not waited for.

    Returns:
        What is still there, and the servers that do not answer.
    """

    def left() -> tuple[tuple[str, ...], frozenset[str]]:
        away = remains.away()
        _remove_machines(remains, away, quiet=True)
        if not away:
            with suppress(ProviderError):
                remains.seats.clear(remains.name)
        return remains.seats.left(remains.name), away

    def enough(found: tuple[tuple[str, ...], frozenset[str]]) -> bool:
        names, away = found
        return not names or (bool(away) and not _machines(remains, away))

    return wait_until(left, Deadline(LEFT_S), every_s=_EVERY_S, enough=enough)


def _machines(remains: _Remains, away: frozenset[str]) -> list[SeatMachine]:
    """The machines that can be removed now."""
    found = remains.seats.machines(remains.name)
    return [one for one in found if one.member not in away]


def _remove_machines(remains: _Remains, away: frozenset[str], *, quiet: bool = False) -> int:
    machines = _machines(remains, away)
    count = 0

    def told(outcome: SeatOutcome[SeatMachine, None]) -> None:
        nonlocal count
        listener = ignore if quiet else remains.context.listener
        if outcome.error is not None:
            words = f"{outcome.item.name}: {error_words(outcome.error)}"
            listener(Notice(remains.name, words))
            return
        count += 1
        listener(StepOutput(remains.name, f"{count} of {len(machines)} machines removed"))

    side_by_side(machines, lambda one: _remove(remains, one), at_once=_pace(machines), on_done=told)
    return count


def _pace(machines: Sequence[SeatMachine]) -> int:
    return _AT_ONCE * max(1, len({one.member for one in machines}))


def _remove(remains: _Remains, machine: SeatMachine) -> None:
    # Whoever makes or moves this very seat ends first, and then finds the workshop closing
    with remains.store.working(machine.label.seat):
        remains.seats.remove(machine.name)
