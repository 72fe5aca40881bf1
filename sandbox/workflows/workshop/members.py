"""Servers that die, come back, or are to be emptied: their seats move, and no work is lost twice.

A seat is lost when the provider calls its server offline, and the seat has not answered for a while
either; one of both is not enough. A dead daemon above running seats takes nobody's work, and a seat
that is silent can be its learner's doing. Lost seats come back on the other servers, from their own
baked image and the newest copies of their homes.

When it returns, its machines are old: the map says so. Their homes are set aside and then they are
removed; a machine whose home cannot be read is stopped, and stays.
"""

import socket
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Final

from sandbox.errors import ProviderError, UsageError
from sandbox.locks import HeldError
from sandbox.providers.engine import Power
from sandbox.providers.members import Member
from sandbox.providers.seats import MemberLostError, SeatMachine
from sandbox.workflows.workshop import bring, homes, replicas
from sandbox.workflows.workshop.leaving import leaving
from sandbox.workflows.workshop.pace import at_once
from sandbox.workflows.workshop.running import RunningWorkshop, carriers
from sandbox.workflows.workshop.side_by_side import side_by_side
from sandbox.workshop.names import seat_word
from sandbox.workshop.record import WorkshopRecord
from sandbox.workshop.seat_map import Seat

SILENT_S: Final = 15.0
"""So long a seat of a server that is offline has not answered before it counts as lost."""
_CONNECT_S: Final = 1.0
_AGAIN_S: Final = 300.0
"""After so long a machine that could not be put away, or started, is tried again."""
_ASKED_AT_ONCE: Final = 32


def answers(upstream: str) -> bool:
    """Tell whether anything accepts a connection at `address:port`."""
    host, _, port = upstream.rpartition(":")
    with suppress(OSError, ValueError):
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_S).close()
        return True
    return False


@dataclass
class MemberWatch:
    """What the caller of `tend_members` remembers from one call to the next."""

    clock: Callable[[], float] = time.monotonic
    is_answering: Callable[[str], bool] = answers
    """Asks one upstream."""
    silent_since: dict[str, float] = field(default_factory=dict)
    """By machine: since when it does not answer."""
    said: set[str] = field(default_factory=set)
    """What was said, and is not said again."""
    doubted: set[str] = field(default_factory=set)
    """The servers that were offline the last time."""
    failed_at: dict[str, float] = field(default_factory=dict)
    """By machine: when it could not be put away, or started."""

    def silent_s(self, machine: str, *, is_silent: bool) -> float:
        """Note whether a machine is silent now; return for how long it has been."""
        if not is_silent:
            self.silent_since.pop(machine, None)
            return 0.0
        return self.clock() - self.silent_since.setdefault(machine, self.clock())

    def may_try(self, machine: str) -> bool:
        """Tell whether a machine did not fail a moment ago."""
        failed = self.failed_at.get(machine)
        return failed is None or self.clock() - failed >= _AGAIN_S

    def new(self, words: Iterable[str]) -> tuple[str, ...]:
        """Return those words that were not said before."""
        fresh = tuple(dict.fromkeys(one for one in words if one not in self.said))
        self.said.update(fresh)
        return fresh


def tend_members(ws: RunningWorkshop, watch: MemberWatch) -> tuple[str, ...]:
    """Look after the servers once; return in words what was done or could not be.

    Call it every few seconds, with one and the same `watch`. It can be cut off at any point.

    Raises:
        HostError, ProviderError: the provider cannot be asked.
    """
    try:
        lock = ws.store.hold_now("members")
    except HeldError:
        return ()
    with lock:
        if (record := ws.store.read()) is None or record.is_closing:
            return ()
        # Before the provider is asked: when a server dies it may take half a minute to answer
        silent = _silent(ws, watch)
        members = {one.name: one for one in ws.seats.members()}
        watch.doubted = {name for name, one in members.items() if not one.online}
        away = [(seat, for_s) for seat, for_s in silent if not _is_online(members, seat)]
        lost = [seat for seat, for_s in away if for_s >= SILENT_S]
        done = _bring_back(ws, lost, members)
        if len(lost) == len(away):
            # The list of all machines takes long, too, and no seat is to wait for it
            done += _tidy(ws, members, watch)
        return watch.new(done)


def evacuate(ws: RunningWorkshop, member: str) -> tuple[str, ...]:
    """Move all seats of a server to the others, with their homes as they are now; say how.

    It gets no new seats either, until the workshop's `up` is said again. Running this again goes on
    where it was cut off.

    Raises:
        UsageError: there is no such server, it is offline, or there is no other one.
        ProviderError: some seats stay where they are; `details` has why.
    """
    members = {one.name: one for one in ws.seats.members()}
    if member not in members or not members[member].online:
        raise UsageError(
            f"{member} is offline" if member in members else f"there is no server {member}",
            details=f"servers: {', '.join(members)}",
            hint=f"sandbox workshop status {ws.name}",
        )
    # Is there any other server?
    _targets(ws, members, away={member}, seats=_seats_on(ws, {member}))
    ws.store.change_record(lambda one: _with_resting(one, member))
    # From here on nobody begins a seat there
    targets = _targets(ws, members, away={member}, seats=_seats_on(ws, {member}))
    outcomes = side_by_side(
        list(targets.items()),
        lambda pair: _move(ws, *pair, away=member),
        at_once=at_once(ws),
    )
    done = tuple(one.result for one in outcomes if one.result)
    left = [f"{seat_word(one.item[0])}: {one.error.message}" for one in outcomes if one.error]
    if left:
        raise ProviderError(
            f"{len(left)} of {len(outcomes)} seats are still on {member}",
            details="\n".join((*left, *done)),
            hint=f"sandbox workshop evacuate {ws.name} {member}",
        )
    return (*done, *_tidy(ws, members, MemberWatch()))


def _with_resting(record: WorkshopRecord, member: str) -> WorkshopRecord:
    resting = tuple(sorted({*record.resting, member}))
    return record.model_copy(update={"resting": resting})


def _silent(ws: RunningWorkshop, watch: MemberWatch) -> list[tuple[Seat, float]]:
    """The seats that do not answer, and for how long.

    Each for itself: of a server whose daemon is dead, some seats may go on, and others not. Of a
    server of which nobody thinks ill, one seat that answers is enough.
    """
    seats = ws.map()
    served = [one for one in seats.seats if one.generation and not one.retired]
    firsts = {one.member: one for one in reversed(served)}
    first_ones = [one for name, one in firsts.items() if name not in watch.doubted]
    answering = _answering(first_ones, watch)
    well = {one.member for one in first_ones if _is_among(one, answering)}
    asked = [one for one in served if one.member not in well]
    answering |= _answering([one for one in asked if one not in first_ones], watch)
    silent = {one.number for one in asked if not _is_among(one, answering)}
    since = {
        one.number: watch.silent_s(seats.instance_of(one), is_silent=one.number in silent)
        for one in served
    }
    return [(one, since[one.number]) for one in served if one.number in silent]


def _is_online(members: Mapping[str, Member], seat: Seat) -> bool:
    return seat.member in members and members[seat.member].online


def _is_among(seat: Seat, answering: frozenset[str]) -> bool:
    return not answering.isdisjoint(seat.upstreams.values())


def _answering(seats: Sequence[Seat], watch: MemberWatch) -> frozenset[str]:
    upstreams = [upstream for seat in seats for upstream in seat.upstreams.values()]
    found = side_by_side(upstreams, watch.is_answering, at_once=_ASKED_AT_ONCE)
    return frozenset(one.item for one in found if one.result)


def _seats_on(ws: RunningWorkshop, members: Iterable[str]) -> list[Seat]:
    there = frozenset(members)
    return [
        one for one in ws.map().seats if one.generation and not one.retired and one.member in there
    ]


def _targets(
    ws: RunningWorkshop,
    members: Mapping[str, Member],
    *,
    away: Iterable[str],
    seats: Sequence[Seat],
) -> Mapping[int, str]:
    """Where each of these seats goes: the server with the fewest seats for its memory.

    Raises:
        UsageError: there is no other server.
    """
    gone = frozenset(away)
    others = [one for one in members.values() if one.name not in gone]
    room = {one.name: one for one in carriers(ws, others)}
    if not room and seats:
        raise UsageError(
            f"no other server is online that could carry the seats of {', '.join(sorted(gone))}",
            hint=f"sandbox workshop status {ws.name}",
        )
    count = {name: len(_seats_on(ws, {name})) for name in room}
    chosen: dict[int, str] = {}
    for seat in seats:
        name = min(room, key=lambda one: (count[one] + 1) / max(1, room[one].memory_mb))
        count[name] += 1
        chosen[seat.number] = name
    return chosen


def _bring_back(
    ws: RunningWorkshop, lost: Sequence[Seat], members: Mapping[str, Member]
) -> list[str]:
    try:
        targets = _targets(ws, members, away={one.member for one in lost}, seats=lost)
    except UsageError as error:
        return [error.message]
    was = {one.number: one for one in lost}
    outcomes = side_by_side(
        list(targets.items()),
        lambda pair: _bring_one_back(ws, *pair, lost=was[pair[0]]),
        at_once=at_once(ws) if targets else 1,
    )
    return [
        one.result or ""
        if one.error is None
        else f"{seat_word(one.item[0])} cannot be brought back: {one.error.message}"
        for one in outcomes
        if one.result or one.error
    ]


def _bring_one_back(ws: RunningWorkshop, number: int, target: str, *, lost: Seat) -> str | None:
    with ws.store.working(number):
        seat = ws.seat(number)
        if seat.generation != lost.generation:
            return None
        home = homes.home_for(ws, seat)
        failed = ""
        try:
            if (whole := replicas.come_back(ws, seat, home)) is not None:
                return _lost_words(seat, f"{whole}; R's memory is lost")
        except ProviderError as error:
            failed = f" (of the copy of the whole seat nothing could be made: {error.message})"
        file = home.file if home is not None else None
        # Should the server come back this very moment: the old machine has work that no copy has
        bring.bring_in(ws, number, member=target, home=file, keep_older=True)
    return _lost_words(seat, _words(home, target) + failed)


def _lost_words(seat: Seat, now: str) -> str:
    return f"{seat_word(seat.number)} was on {seat.member}, which is lost: {now}"


def _words(home: homes.SavedHome | None, target: str) -> str:
    if home is None:
        return f"it is on {target} now, without its home: there was no copy of it yet"
    age_s = (datetime.now(UTC) - home.at).total_seconds()
    return f"it is on {target} now, with its home of {age_s:.0f} s before; R's memory is lost"


def _move(ws: RunningWorkshop, number: int, target: str, *, away: str) -> str | None:
    with ws.store.working(number):
        seat = ws.seat(number)
        if seat.member != away:
            return None
        copy = partial(_copied, ws, number)
        with leaving(ws, seat, copy) as old:
            now = bring.bring_in(ws, number, member=target, old=old)
    at = f"{now.home_saved_at:%H:%M:%S} UTC" if now.home_saved_at is not None else "just now"
    return f"{seat_word(number)} is on {target} now, with its home as of {at}"


def _copied(ws: RunningWorkshop, number: int, still_s: int) -> homes.SavedHome | None:
    try:
        return homes.save_home(ws, number, still_s=still_s)
    except MemberLostError:
        if not still_s:
            raise
        # It died just now: the copy of a moment ago is the newest that there is
        return None


def _tidy(ws: RunningWorkshop, members: Mapping[str, Member], watch: MemberWatch) -> list[str]:
    """Put away what is no seat any more, and start seats that stand still, where servers are."""
    here = {one.name for one in members.values() if one.online}
    machines = [
        one
        for one in ws.seats.machines(ws.name)
        if one.member in here and watch.may_try(one.name) and _is_amiss(ws, one)
    ]
    outcomes = side_by_side(
        machines,
        lambda one: _mend(ws, one),
        at_once=at_once(ws) if machines else 1,
    )
    said = []
    for one in outcomes:
        if one.error is not None and not isinstance(one.error, MemberLostError):
            watch.failed_at[one.item.name] = watch.clock()
            said.append(one.error.message)
        elif one.result:
            said.append(one.result)
    return said


def _is_amiss(ws: RunningWorkshop, machine: SeatMachine) -> bool:
    seats = ws.map()
    if all(one.number != machine.label.seat for one in seats.seats):
        return False
    return not seats.is_current(machine.label) or machine.power is Power.STOPPED


def _mend(ws: RunningWorkshop, machine: SeatMachine) -> str:
    label = machine.label
    try:
        lock = ws.store.hold_now(seat_word(label.seat))
    except HeldError:
        # Somebody makes, moves or restarts this very seat; next time
        return ""
    with lock:
        generation = ws.seat(label.seat).generation
        if label.generation < generation:
            return _put_away(ws, machine)
        if label.generation > generation:
            # It never became the seat: its maker was cut off, and nobody has worked in it
            ws.seats.remove(machine.name)
            return f"{machine.name} was never finished, and is removed"
        ws.seats.start(machine.name, ws.listener)
        return f"{seat_word(label.seat)} stood still on {machine.member}, and is started again"


def _put_away(ws: RunningWorkshop, machine: SeatMachine) -> str:
    number, generation = machine.label.seat, machine.label.generation
    try:
        if machine.power is not Power.RUNNING:
            ws.seats.start(machine.name, ws.listener)
        file = homes.keep_returned(ws, machine.name, number, generation)
    except MemberLostError:
        return ""
    except ProviderError as error:
        with suppress(ProviderError):
            ws.seats.stop(machine.name)
        raise ProviderError(
            f"{machine.name} is an old machine of {seat_word(number)} whose home cannot be read "
            f"({error.message}): it is stopped, and kept on {machine.member}"
        ) from error
    ws.seats.remove(machine.name)
    return (
        f"{machine.member} has an old machine of {seat_word(number)} no more: its home is kept as "
        f"{file.name}, and {machine.name} is removed"
    )
