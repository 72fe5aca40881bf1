"""Put one seat back as it was made, its work saved first; or only start its servers again."""

from collections.abc import Callable
from functools import partial
from typing import Final

from sandbox.errors import ProviderError, UsageError
from sandbox.events import Notice, step
from sandbox.providers.engine import Power
from sandbox.providers.seats import MemberLostError, SeatMachine
from sandbox.workflows.workshop import homes, proxy
from sandbox.workflows.workshop.bring import bring_in, remove_older, require_answers, serve
from sandbox.workflows.workshop.leaving import Leaving, leaving
from sandbox.workflows.workshop.running import RunningWorkshop, require_open
from sandbox.workshop.names import seat_word
from sandbox.workshop.seat_map import Seat

SET_ASIDE: Final = "before-reset"
_RESTART_S: Final = 60.0


def _nobody(_seat: Seat) -> None:
    """Tell nobody."""


def reset(
    ws: RunningWorkshop,
    number: int,
    *,
    keep_home: bool = False,
    unsaved: bool = False,
    on_ready: Callable[[Seat], None] = _nobody,
) -> Seat:
    """Give a seat a new machine of the same box; its home is saved first, and it is said where.

    Its person, its secret and its address stay.

    Args:
        ws: the workshop.
        number: the seat's.
        keep_home: lay the saved home into the new machine.
        unsaved: go on although the home cannot be saved now.
        on_ready: hears of the seat once it answers at its address; the machine before is removed
            after that.

    Raises:
        UsageError: there is no such seat, or the workshop is closing.
        ProviderError: the home cannot be saved (nothing was changed), or the new machine does not
            get ready (the old one still serves the seat).
    """
    require_open(ws)
    word = seat_word(number)
    with ws.store.working(number, on_wait=lambda: _told(ws, f"another command is at {word}")):
        seat = ws.seat(number)
        if seat.retired:
            raise UsageError(
                f"{word} is retired: it has no machine",
                hint=f"sandbox workshop status {ws.name} lists the others",
            )
        copy = partial(_save, ws, seat, keep_home=keep_home, unsaved=unsaved)
        with (
            step(ws.listener, ws.name, f"a new machine for {word}"),
            leaving(ws, seat, copy, keeps_home=keep_home) as old,
        ):
            now = _brought(ws, seat, old)
        on_ready(now)
        # Cut off here, the keeper finds the old machine
        remove_older(ws, seat, now)
        return now


def _brought(ws: RunningWorkshop, seat: Seat, old: Leaving) -> Seat:
    try:
        member = seat.member or None
        return bring_in(ws, seat.number, member=member, old=old, keep_older=True)
    except MemberLostError:
        return bring_in(ws, seat.number, old=old, keep_older=True)


def restart_servers(ws: RunningWorkshop, number: int) -> None:
    """Start the servers of a seat again, and its machine when it is off; files stay as they are.

    Raises:
        UsageError: there is no such seat, or it has no machine.
        MemberLostError, ProviderError: they do not come up.
    """
    require_open(ws)
    plan = ws.record.placement.plan
    units = [unit for server in plan.servers for unit in server.units_in(plan.services)]
    with ws.store.working(number), step(ws.listener, ws.name, f"restart {seat_word(number)}"):
        machine = _machine(ws, ws.seat(number))
        if machine is None:
            raise UsageError(
                f"{seat_word(number)} has no machine",
                hint=f"sandbox workshop reset {ws.name} {seat_word(number)} makes one",
            )
        if machine.power is not Power.RUNNING:
            machine = ws.seats.start(machine.name, ws.listener)
        elif units:
            ws.seats.run(machine.name, ("systemctl", "restart", *units), timeout_s=_RESTART_S)
        require_answers(ws, number, machine)
        serve(ws, number, machine)
        proxy.refresh_proxy(ws)


def _save(
    ws: RunningWorkshop, seat: Seat, still_s: int, *, keep_home: bool, unsaved: bool
) -> homes.SavedHome | None:
    """Save the home; None when there is nothing to save, or it may stay unsaved."""
    word = seat_word(seat.number)
    if not seat.generation:
        return None
    try:
        if still_s:
            return homes.save_home(ws, seat.number, set_aside=SET_ASIDE, still_s=still_s)
        with step(ws.listener, ws.name, f"save the home of {word}") as note:
            saved = homes.save_home(ws, seat.number, set_aside=SET_ASIDE)
            kept = homes.set_aside(ws, seat.number).get(seat.number, ())
            note.text = str(kept[0] if kept else saved.file)
            return saved
    except ProviderError as error:
        is_lost = still_s and isinstance(error, MemberLostError)
        if unsaved or is_lost or _is_gone(ws, seat):
            if is_lost or not still_s:
                _told(ws, f"the home of {word} cannot be saved: {_last_copy(ws.seat(seat.number))}")
            return homes.home_for(ws, seat) if keep_home and not still_s else None
        raise _not_saved(ws, seat, error) from error


def _not_saved(ws: RunningWorkshop, seat: Seat, error: ProviderError) -> ProviderError:
    word = seat_word(seat.number)
    last = _last_copy(seat)
    return ProviderError(
        f"{word} is not reset: its home cannot be saved",
        details="\n".join((error.message, *error.details.splitlines(), last)),
        hint=f"sandbox workshop reset {ws.name} {word} --unsaved does it all the same",
    )


def _last_copy(seat: Seat) -> str:
    at = seat.home_saved_at
    return f"the last copy is of {at:%H:%M:%S} UTC" if at else "there is no copy of it"


def _is_gone(ws: RunningWorkshop, seat: Seat) -> bool:
    return _machine(ws, seat) is None


def _machine(ws: RunningWorkshop, seat: Seat) -> SeatMachine | None:
    wanted = ws.map().instance_of(seat) if seat.generation else ""
    found = (one for one in ws.seats.machines(ws.name) if one.name == wanted)
    return next(found, None)


def _told(ws: RunningWorkshop, text: str) -> None:
    ws.listener(Notice(ws.name, text))
