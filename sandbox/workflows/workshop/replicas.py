"""Replicas of whole seats on other servers: copied in turn, and what a lost seat comes back from.

A replica counts only while the machine that it is a copy of serves its seat, and for the person who
had the seat then: what was put back, or given away, never comes back by it.
"""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from sandbox.errors import ProviderError, UsageError
from sandbox.locks import HeldError
from sandbox.providers.members import Member
from sandbox.providers.replicas import KeepsReplicas, ReplicaWish, SeatReplicas, replica_name
from sandbox.providers.seats import MemberLostError, SeatLabel, Seats
from sandbox.spec.load_workshop import LoadedWorkshop
from sandbox.workflows.workshop import bring, homes
from sandbox.workflows.workshop.running import RunningWorkshop
from sandbox.workshop.names import seat_word
from sandbox.workshop.replica_notes import ReplicaNote, note_replica, replica_notes
from sandbox.workshop.seat_map import Seat

_AGAIN: Final = timedelta(seconds=60)
"""After so long a copy that failed is tried again, if copies are not rarer than that."""


@dataclass(frozen=True)
class _Begun:
    """A copy that is to be made."""

    seat: Seat
    note: ReplicaNote
    member: str
    before: str


def obstacle(loaded: LoadedWorkshop, seats: Seats) -> str:
    """Say why these servers cannot keep replicas that the workshop file wants, with its line.

    Raises:
        HostError, ProviderError: the provider cannot be asked.
    """
    if not loaded.workshop.copies.seats:
        return ""
    why = "the provider keeps no copies of whole seats"
    if isinstance(seats, KeepsReplicas):
        why = seats.replicas().obstacle()
    if not why:
        return ""
    at = loaded.top.nearest(("copies", "seats")).problem(why)
    return f"{at.place}: {at.key}: {why}"


def refuse_obstacle(loaded: LoadedWorkshop, seats: Seats) -> None:
    """Refuse a workshop whose whole seats cannot be copied, although its file says so.

    Raises:
        UsageError: they cannot.
        HostError, ProviderError: the provider cannot be asked.
    """
    if why := obstacle(loaded, seats):
        raise UsageError(
            "whole seats cannot be copied to another server here",
            details=why,
            hint="leave out `copies.seats`, or name a cluster in `remotes`",
        )


def due(ws: RunningWorkshop) -> tuple[int, ...]:
    """List the seats whose replica is not there or too old, the most urgent first."""
    every = timedelta(seconds=ws.workshop.copies.seats_every_s)
    now, notes = datetime.now(UTC), replica_notes(ws.store)
    found: list[tuple[datetime, int]] = []
    for seat in ws.map().seats:
        if not seat.ready or not seat.generation or seat.retired:
            continue
        note = notes.of(seat.number)
        failed = note.trouble_at
        if failed is not None and now - failed < min(every, _AGAIN):
            continue
        taken = note.taken_at if note.is_of(seat) else None
        if taken is None or now - taken >= every:
            found.append((taken or datetime.min.replace(tzinfo=UTC), seat.number))
    return tuple(number for _, number in sorted(found))


def copy_seat(ws: RunningWorkshop, number: int) -> ReplicaNote | None:
    """Make a new replica of a seat, and remove the one before; return the note on it.

    None: it was left out this time, because another command is at the seat, because another copy
    is being made, or because the seat was changed meanwhile.

    Raises:
        MemberLostError, ProviderError: it could not be copied: the replica of before still stands.
    """
    try:
        lock = ws.store.hold_now("replicas")
    except HeldError:
        return None
    with lock:
        begun = _begin(ws, number)
        if begun is None:
            return None
        try:
            return _copied(ws, begun)
        except ProviderError as error:
            _note_trouble(ws, begun, error)
            raise


def tidy(ws: RunningWorkshop) -> None:
    """Remove all replicas that nothing can come back from any more.

    Raises:
        HostError, ProviderError: one cannot be removed, or the provider cannot be asked.
    """
    if (kept := _kept_by(ws)) is None:
        return
    try:
        lock = ws.store.hold_now("replicas")
    except HeldError:
        return
    with lock:
        # The list first: what is noted after it is not in it
        there = [one for one in kept.replicas(ws.name) if one.is_reachable]
        notes = replica_notes(ws.store)
        wanted = ws.map().seats if ws.workshop.copies.seats else ()
        seats = {one.number: one for one in wanted if not one.retired}
        for one in there:
            note, seat = notes.of(one.seat), seats.get(one.seat)
            if seat is not None and note.name == one.name and note.is_of(seat):
                continue
            kept.remove(one.name)
            note_replica(ws.store, one.seat, partial(_unless, gone=one.name))


def come_back(ws: RunningWorkshop, seat: Seat, home: homes.SavedHome | None) -> str | None:
    """Make a lost seat's new machine from its replica; the caller holds the seat.

    A home that was saved later is laid over it.

    Returns:
        In words from when it is; None when the seat has no replica that counts.

    Raises:
        MemberLostError, ProviderError: nothing can be made of the replica.
    """
    note = replica_notes(ws.store).of(seat.number)
    if not ws.workshop.copies.seats or not note.is_of(seat) or note.taken_at is None:
        return None
    is_newer = home is not None and home.at > note.taken_at
    now = bring.bring_in(
        ws,
        seat.number,
        member=note.member,
        home=home.file if home is not None and is_newer else None,
        keep_older=True,
        replica=note.name,
    )
    if not is_newer:
        # Else it would count as one of an earlier machine, should this one be lost, too
        homes.still_counts(ws, seat.number, now.generation)
    words = f"it is on {note.member} now, all of it as {_age_s(note.taken_at)} s before"
    if home is not None and is_newer:
        words += f", and its home as {_age_s(home.at)} s before"
    return words


def _kept_by(ws: RunningWorkshop) -> SeatReplicas | None:
    return ws.seats.replicas() if isinstance(ws.seats, KeepsReplicas) else None


def _begin(ws: RunningWorkshop, number: int) -> _Begun | None:
    """Choose where the copy goes, and note its number, while nobody else is at the seat."""
    members = {one.name: one for one in ws.seats.members() if one.online}
    images = ws.seats.images(ws.record.image_key)
    try:
        lock = ws.store.hold_now(seat_word(number))
    except HeldError:
        return None
    with lock:
        seat = ws.seat(number)
        if not seat.ready or seat.retired or seat.member not in members:
            return None
        note = note_replica(ws.store, number, _with_next_number)
        # What could not be brought up to date may be what is wrong
        if note.is_of(seat) and note.member in members and not note.trouble:
            return _Begun(seat, note, note.member, note.name)
        room = {name: one for name, one in members.items() if name in images}
        target = _target(ws, seat, room)
        return _Begun(seat, note, target, "") if target else None


def _with_next_number(note: ReplicaNote) -> ReplicaNote:
    return note.model_copy(update={"begun": note.begun + 1})


def _target(ws: RunningWorkshop, seat: Seat, room: Mapping[str, Member]) -> str:
    """The server with the fewest replicas and seats for its memory; empty when there is none."""
    seats = [one for one in ws.map().seats if one.ready and one.number != seat.number]
    notes = replica_notes(ws.store)
    count = Counter(one.member for one in seats)
    count.update(notes.of(one.number).member for one in seats)
    others = [name for name in room if name != seat.member]
    return min(
        others, key=lambda name: (count[name] + 1) / max(1, room[name].memory_mb), default=""
    )


def _copied(ws: RunningWorkshop, begun: _Begun) -> ReplicaNote | None:
    seat, kept = begun.seat, _kept_by(ws)
    if kept is None:
        return None
    number = seat.number
    name = replica_name(ws.name, number, begun.note.begun)
    limits, machine = ws.workshop.limits, ws.record.placement.plan.machine
    at, since = datetime.now(UTC), time.monotonic()
    wish = ReplicaWish(
        name=name,
        label=SeatLabel(ws.name, number, seat.generation),
        machine=ws.map().instance_of(seat),
        member=begun.member,
        before=begun.before,
        image_key=ws.record.image_key,
        disk_gb=limits.disk_gb or machine.disk_gb,
    )
    kept.copy(wish, ws.listener)
    done = {
        "name": name,
        "member": begun.member,
        "generation": seat.generation,
        "taken_at": at,
        "took_s": round(time.monotonic() - since, 2),
        "trouble": "",
        "trouble_at": None,
    }

    def taken_over(note: ReplicaNote) -> ReplicaNote:
        # Given to somebody else, or put back, while it was copied?
        is_same = note.holders == begun.note.holders
        if not is_same or ws.seat(number).generation != seat.generation:
            return note
        return note.model_copy(update=done)

    note = note_replica(ws.store, number, taken_over)
    if note.name != name:
        kept.remove(name)
        return None
    if begun.note.name:
        # On a server that is away, `tidy` finds it
        _remove(kept, begun.note.name)
    return note


def _remove(kept: SeatReplicas, name: str) -> None:
    try:
        kept.remove(name)
    except MemberLostError:
        return


def _note_trouble(ws: RunningWorkshop, begun: _Begun, error: ProviderError) -> None:
    changes = {"trouble": error.message, "trouble_at": datetime.now(UTC)}
    note_replica(ws.store, begun.seat.number, lambda note: note.model_copy(update=changes))


def _unless(note: ReplicaNote, gone: str) -> ReplicaNote:
    return note.without() if note.name == gone else note


def _age_s(moment: datetime) -> int:
    return int((datetime.now(UTC) - moment).total_seconds())
