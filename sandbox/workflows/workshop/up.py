"""Open a workshop: every seat is made, and answers at its address. Run again, it goes on."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sandbox.errors import BusyError, HostError, ProviderError, SandboxError, UsageError
from sandbox.events import StepOutput, ignore, step
from sandbox.locks import HeldError
from sandbox.placement import Placement
from sandbox.providers.engine import Power
from sandbox.providers.seats import SeatMachine, Seats
from sandbox.spec.load_workshop import LoadedWorkshop
from sandbox.ssh import make_key
from sandbox.workflows.context import Context
from sandbox.workflows.workshop import exercises, homes, keeper, proxy, push, replicas
from sandbox.workflows.workshop.bring import at_once, bring_in, members_for, require_answers, serve
from sandbox.workflows.workshop.members import answers
from sandbox.workflows.workshop.model_plan import (
    baked_image,
    error_words,
    has_image,
    require_baking,
    seat_placement,
)
from sandbox.workflows.workshop.plan import room_for, wanted_of
from sandbox.workflows.workshop.running import RunningWorkshop, first_answering, seats_at
from sandbox.workflows.workshop.side_by_side import SeatOutcome, side_by_side
from sandbox.workshop.names import seat_word, workshop_name
from sandbox.workshop.record import HandedOut, WorkshopRecord
from sandbox.workshop.seat_map import Holder, Seat
from sandbox.workshop.seating import Seating, seated
from sandbox.workshop.store import WorkshopStore


class SeatsFailedError(ProviderError):
    """Some seats did not get ready; all others did, and the workshop is open."""

    def __init__(self, ws: RunningWorkshop, failed: Mapping[int, SandboxError]) -> None:
        first = min(failed)
        count = len(failed)
        super().__init__(
            f"{count} seat{'s' if count > 1 else ''} of {ws.name} did not get ready",
            details="\n".join(
                f"{seat_word(one)}: {error_words(error)}" for one, error in sorted(failed.items())
            ),
            hint=f"sandbox workshop up {ws.record.path} tries these again; a new machine: "
            f"sandbox workshop reset {ws.name} {seat_word(first)}",
        )
        self.ws = ws
        self.failed = dict(failed)


@dataclass(frozen=True)
class _Task:
    """A seat that is not ready, and what is there of it."""

    seat: Seat
    machine: SeatMachine | None
    member: str | None
    """Where a new machine is made."""


def open_workshop(loaded: LoadedWorkshop, context: Context) -> RunningWorkshop:
    """Make all seats of a workshop, and the proxy and the keeper around them.

    What is there already stays: seats that are ready, their secrets, their people. A workshop file
    that has changed is taken over.

    Raises:
        UsageError: it is closing, another file has its name, or it cannot be made like this.
        HostError: it does not fit; nothing was made.
        SeatsFailedError: some seats are not ready; the workshop is open with the others.
        SandboxError: see errors.py; running it again goes on.
    """
    store = WorkshopStore(workshop_name(loaded.name))
    with alone(store):
        is_new = not store.exists()
        try:
            ws = _opened(loaded, store, context)
        except SandboxError:
            if is_new and store.read() is None:
                # Nothing was made yet, so leave nothing
                store.remove()
            raise
        failed = make_seats(ws)
        proxy.ensure_proxy(ws)
        proxy.refresh_proxy(ws)
        keeper.ensure_keeper(ws)
        if failed:
            raise SeatsFailedError(ws, failed)
        # What an `add` had begun is done now
        store.change(lambda one: one.model_copy(update={"adding": ()}))
        return ws


@contextmanager
def alone(store: WorkshopStore) -> Iterator[None]:
    """Hold the workshop against others who open or close it.

    Raises:
        BusyError: somebody else holds it.
    """
    try:
        lock = store.hold_now("up")
    except HeldError:
        raise BusyError(
            f"another command is opening or closing the workshop {store.name}",
            hint=f"sandbox workshop status {store.name} shows how far it is",
        ) from None
    with lock:
        yield


def _opened(loaded: LoadedWorkshop, store: WorkshopStore, context: Context) -> RunningWorkshop:
    before = store.read()
    _refuse_others(before, loaded, store.name)
    remote = first_answering(loaded.workshop.remotes, context)
    placement = seat_placement(loaded, store.name, context)
    require_baking(placement, context)
    others = tuple(one for one in loaded.workshop.remotes if one != remote)
    seats = seats_at(remote, context, others)
    replicas.refuse_obstacle(loaded, seats)
    _require_room(loaded, store.name, seats)
    checks = exercises.agree_checks(loaded, context, store.part("checks"))
    record = _record(loaded, before, store.name, placement, remote)
    record = record.model_copy(update={"checks": checks})
    ws = RunningWorkshop(record, store, seats, context)
    _seat_people(ws, loaded, before)
    packed = push.pack(loaded, store.part("files"))
    ws = _written(ws, packed)
    store.secrets()
    make_key(store.part())
    if not _is_same(before, ws.record) or not has_image(ws.record.image_key, remote, context):
        key = baked_image(placement, remote, context)
        record = store.change_record(lambda one: one.model_copy(update={"image_key": key}))
        ws = replace(ws, record=record)
    seats.prepare(ws.name, ws.workshop.may_reach, context.listener)
    online = [one.name for one in seats.members() if one.online]
    seats.spread(ws.record.image_key, online, context.listener)
    return ws


def _refuse_others(before: WorkshopRecord | None, loaded: LoadedWorkshop, name: str) -> None:
    if before is None:
        return
    if before.is_closing:
        raise UsageError(
            f"the workshop {name} is closing, and some of it is still there",
            hint=f"sandbox workshop down {name} ends that; then open it again",
        )
    if before.path != loaded.path and before.path.exists():
        raise UsageError(
            f"a workshop of the name {name} is open already, from another file",
            details=str(before.path),
            hint=f"give this file another name, or end that one: sandbox workshop down {name}",
        )


def _require_room(loaded: LoadedWorkshop, name: str, seats: Seats) -> None:
    found = room_for(wanted_of(loaded), name, seats)
    if not found.fits:
        raise HostError(
            f"{name} does not fit",
            details="\n".join(found.refusals),
            hint=f"sandbox workshop plan {loaded.path} says what each server carries",
        )


def _record(
    loaded: LoadedWorkshop,
    before: WorkshopRecord | None,
    name: str,
    placement: Placement,
    remote: str,
) -> WorkshopRecord:
    said = loaded.workshop
    tls = {key: loaded.file_at("tls", key) if said.tls else None for key in ("certificate", "key")}
    ends = datetime.fromisoformat(said.ends) if said.ends else None
    if before is not None and before.workshop.ends == said.ends:
        # With what `extend` has added
        ends = before.ends
    return WorkshopRecord(
        name=name,
        path=loaded.path,
        workshop=said,
        placement=placement,
        image_key=before.image_key if before is not None else "",
        remote=remote,
        certificate=tls["certificate"],
        key=tls["key"],
        opened_at=before.opened_at if before is not None else datetime.now(UTC),
        ends=ends,
    )


def _is_same(before: WorkshopRecord | None, now: WorkshopRecord) -> bool:
    return before is not None and before.placement == now.placement


def _written(ws: RunningWorkshop, packed: Sequence[HandedOut]) -> RunningWorkshop:
    """Save the record: files that were pushed meanwhile stay in it, and the newest are the last."""
    if ws.store.read() is None:
        ws.store.write(ws.record)

    def taken_over(before: WorkshopRecord) -> WorkshopRecord:
        new = [one for one in packed if one not in before.handed_out]
        changes = {"handed_out": (*before.handed_out, *new), "is_closing": before.is_closing}
        return ws.record.model_copy(update=changes)

    return replace(ws, record=ws.store.change_record(taken_over))


def _seat_people(
    ws: RunningWorkshop, loaded: LoadedWorkshop, before: WorkshopRecord | None
) -> None:
    people = tuple(Holder(name=one.name, email=one.email) for one in loaded.people)
    wanted = Seating(people, loaded.seats + loaded.spare)
    fewer = _fewer(before, loaded)
    seats = ws.store.change(lambda seats: seated(seats, wanted, fewer=fewer))
    if fewer > 0:
        # Before the record has the new number: cut off here, the same is done again
        for seat in seats.seats:
            if seat.retired and not seat.ready and seat.generation:
                ws.seats.remove(seats.instance_of(seat))


def _fewer(before: WorkshopRecord | None, loaded: LoadedWorkshop) -> int:
    said = before.workshop if before is not None else None
    if said is None or said.seats is None or loaded.workshop.seats is None:
        return 0
    return said.seats + said.spare_for(said.seats) - loaded.seats - loaded.spare


def make_seats(ws: RunningWorkshop) -> dict[int, SandboxError]:
    """Bring each seat that is not ready, a few at a time; return the errors by seat.

    A machine that is only stopped is started: what its person did is in it.
    """
    tasks = _tasks(ws)
    if not tasks:
        return {}
    quiet = replace(ws, context=replace(ws.context, listener=ignore))
    count = len([one for one in ws.map().seats if not one.retired])
    failed: dict[int, SandboxError] = {}
    ready = count - len(tasks)

    def told(outcome: SeatOutcome[_Task, Seat]) -> None:
        nonlocal ready
        if outcome.error is not None:
            failed[outcome.item.seat.number] = outcome.error
        else:
            ready += 1
        note.text = f"{ready} of {count} seats ready"
        ws.listener(StepOutput(ws.name, note.text))

    with step(ws.listener, ws.name, "seats") as note:
        side_by_side(tasks, lambda one: _do(quiet, one), at_once=at_once(ws), on_done=told)
    return failed


def _tasks(ws: RunningWorkshop) -> list[_Task]:
    machines = ws.seats.machines(ws.name)
    _remove_never_served(ws, machines)
    by_name = {one.name: one for one in machines}
    seats = ws.map()
    found = []
    for seat in seats.seats:
        machine = by_name.get(seats.instance_of(seat)) if seat.generation else None
        runs = machine is not None and machine.power is Power.RUNNING
        if seat.ready and machine is not None and _goes_on(seat, machine):
            continue
        if not seat.retired and not (seat.ready and runs):
            found.append(_Task(seat, machine, None))
    places = iter(members_for(ws, sum(one.machine is None for one in found)))
    return [
        replace(one, member=next(places, None)) if one.machine is None else one for one in found
    ]


def _goes_on(seat: Seat, machine: SeatMachine) -> bool:
    """Whether only the engine above it is dead: its person works in it, and nothing can be done."""
    return machine.power is Power.BROKEN and any(map(answers, seat.upstreams.values()))


def _remove_never_served(ws: RunningWorkshop, machines: Sequence[SeatMachine]) -> None:
    """Remove what a command that was cut off had begun: nobody has ever worked in these."""
    for machine in machines:
        number = machine.label.seat
        with ws.store.working(number):
            served = [one.generation for one in ws.map().seats if one.number == number]
            if served and machine.label.generation > served[0]:
                ws.seats.remove(machine.name)


def _do(ws: RunningWorkshop, task: _Task) -> Seat:
    number = task.seat.number
    with ws.store.working(number):
        now = ws.seat(number)
        if now.ready and now.generation > task.seat.generation:
            # Somebody else has brought it meanwhile
            return now
        if task.machine is None:
            saved = homes.home_for(ws, now) if now.generation else None
            with suppress(ProviderError):
                if now.generation and replicas.come_back(ws, now, saved) is not None:
                    return ws.seat(number)
            return bring_in(
                ws,
                number,
                member=task.member,
                home=saved.file if saved is not None else None,
                tell_proxy=now.generation > 0,
            )
        return _woken(ws, number, task.machine)


def _woken(ws: RunningWorkshop, number: int, machine: SeatMachine) -> Seat:
    if machine.power is not Power.RUNNING:
        machine = ws.seats.start(machine.name, ws.listener)
    require_answers(ws, number, machine)
    return serve(ws, number, machine)
