"""Gather what the trainer sees, for the command line and the page alike.

One question for the machines, one for what they use, one for the servers; files say the rest.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sandbox.errors import SandboxError
from sandbox.providers.engine import Power
from sandbox.providers.members import Member
from sandbox.providers.seats import SeatMachine, SeatUse
from sandbox.workflows.workshop import exercises, keeper, look, proxy
from sandbox.workflows.workshop.members import answers
from sandbox.workflows.workshop.running import RunningWorkshop
from sandbox.workflows.workshop.side_by_side import side_by_side
from sandbox.workshop.home_notes import home_notes
from sandbox.workshop.names import claim_host, seat_word, url_of
from sandbox.workshop.replica_notes import ReplicaNote, ReplicaNotes, replica_notes
from sandbox.workshop.seat_map import Seat, SeatMap
from sandbox.workshop.seat_notes import SeatNotes
from sandbox.workshop.view import (
    ExerciseResult,
    MemberView,
    SeatLook,
    SeatState,
    SeatView,
    WorkshopView,
)

_ENDS_SOON: Final = timedelta(minutes=15)
_MOST_NAMED: Final = 8
_ASKED_AT_ONCE: Final = 32


@dataclass(frozen=True)
class Asked:
    """What the provider said: the rest of a view is in files, and costs little."""

    machines: Mapping[str, SeatMachine]
    members: tuple[Member, ...]
    uses: Mapping[str, SeatUse]


def ask(ws: RunningWorkshop, *, uses: Mapping[str, SeatUse] | None = None) -> Asked:
    """Ask the provider; what the machines use only where the caller does not have it.

    Raises:
        HostError, ProviderError: the provider cannot be asked at all.
    """
    # Each takes a while, and none waits for another
    with ThreadPoolExecutor(max_workers=2) as pool:
        asked_uses = pool.submit(_uses, ws) if uses is None else None
        asked_members = pool.submit(ws.seats.members)
        machines = {one.name: one for one in ws.seats.machines(ws.name)}
        return Asked(
            machines=machines,
            members=asked_members.result(),
            uses=asked_uses.result() if asked_uses is not None else uses or {},
        )


def view(
    ws: RunningWorkshop,
    *,
    cpu_percents: Mapping[str, float] | None = None,
    looks: Mapping[int, SeatLook] | None = None,
    asked: Asked | None = None,
) -> WorkshopView:
    """Ask the provider once, read the files, and return the whole workshop at this moment.

    Args:
        ws: the workshop.
        cpu_percents: how busy the machines are, by name, where the caller looks again and again.
        looks: what was seen inside the seats, where the caller has it; else the keeper's.
        asked: what the provider said, where the caller has asked already.

    Raises:
        HostError, ProviderError: the provider cannot be asked at all.
    """
    said_now = asked if asked is not None else ask(ws)
    seats = ws.map()
    offline = frozenset(one.name for one in said_now.members if not one.online)
    gathered = _Gathered(
        ws=ws,
        seats=seats,
        machines=said_now.machines,
        offline=offline,
        going_on=_going_on(seats, offline),
        uses=said_now.uses,
        cpu_percents=cpu_percents or {},
        looks=look.looks(ws.store) if looks is None else looks,
        results=exercises.results(ws.store),
        replicas=replica_notes(ws.store) if ws.workshop.copies.seats else ReplicaNotes(),
    )
    found = tuple(_seat_view(one, gathered) for one in seats.seats)
    runs = keeper.keeper_runs(ws.store)
    said, now = ws.workshop, datetime.now(UTC)
    claim = claim_host(said.names.domain)
    return WorkshopView(
        name=ws.name,
        title=said.description or ws.name,
        at=now,
        seats=found,
        members=tuple(_member_view(one, gathered) for one in said_now.members),
        exercises=tuple(one.name for one in said.exercises),
        ends=ws.record.ends,
        claim_url=url_of(claim, said.listen.port, tls=said.tls is not None),
        keeper_runs=runs,
        has_replicas=said.copies.seats,
        notices=tuple(_notices(gathered, found, now, keeper_runs=runs)),
    )


@dataclass(frozen=True)
class _Gathered:
    ws: RunningWorkshop
    seats: SeatMap
    machines: Mapping[str, SeatMachine]
    offline: frozenset[str]
    going_on: frozenset[int]
    """Seats of servers that do not answer, which do so themselves."""
    uses: Mapping[str, SeatUse]
    cpu_percents: Mapping[str, float]
    looks: Mapping[int, SeatLook]
    results: Mapping[int, Mapping[str, ExerciseResult]]
    replicas: SeatNotes[ReplicaNote]


def _uses(ws: RunningWorkshop) -> Mapping[str, SeatUse]:
    try:
        return ws.seats.uses(ws.name)
    except SandboxError:
        # What it uses is the least of what there is to see
        return {}


def _seat_view(seat: Seat, seen: _Gathered) -> SeatView:
    name = seen.seats.instance_of(seat) if seat.generation else ""
    machine, use = seen.machines.get(name), seen.uses.get(name)
    holder, record = seat.holder, seen.ws.record
    replica = seen.replicas.of(seat.number)
    replica = replica if replica.is_of(seat) else replica.without()
    limit_mb = record.workshop.limits.memory_mb or record.placement.plan.machine.memory_mb
    return SeatView(
        number=seat.number,
        word=seat_word(seat.number),
        url=seen.ws.url(seat),
        name=holder.name if holder else "",
        email=holder.email if holder else "",
        is_spare=seat.is_spare,
        is_claimed=bool(holder and holder.claim),
        retired=seat.retired,
        state=_state(seat, machine, seen),
        member=machine.member if machine else seat.member,
        machine=name,
        cpu_percent=seen.cpu_percents.get(name),
        memory_mb=use.memory_mb if use else None,
        memory_limit_mb=limit_mb,
        disk_mb=use.disk_mb if use else None,
        processes=use.processes if use else None,
        look=seen.looks.get(seat.number),
        exercises=seen.results.get(seat.number, {}),
        home_saved_at=seat.home_saved_at,
        replica_at=replica.taken_at,
        replica_on=replica.member,
        asked_at=seat.asked_at,
    )


def _going_on(seats: SeatMap, offline: frozenset[str]) -> frozenset[int]:
    asked = [(one, up) for one in seats.seats if one.member in offline for up in _firsts(one)]
    found = side_by_side(asked, lambda pair: answers(pair[1]), at_once=_ASKED_AT_ONCE)
    return frozenset(one.item[0].number for one in found if one.result)


def _firsts(seat: Seat) -> list[str]:
    return list(seat.upstreams.values())[:1] if seat.ready and not seat.retired else []


def _state(seat: Seat, machine: SeatMachine | None, seen: _Gathered) -> SeatState:
    if seat.generation and (machine.member if machine else seat.member) in seen.offline:
        return SeatState.READY if seat.number in seen.going_on else SeatState.LOST
    if machine is None:
        is_to_come = not seat.generation and not seat.retired
        return SeatState.STARTING if is_to_come else SeatState.OFF
    if machine.power is Power.RUNNING:
        return SeatState.READY if seat.ready else SeatState.STARTING
    return SeatState.STARTING if machine.power is Power.STARTING else SeatState.OFF


def _member_view(member: Member, seen: _Gathered) -> MemberView:
    served = sum(one.member == member.name and one.ready for one in seen.seats.seats)
    trouble = "" if member.online else "it does not answer"
    if member.online and member.name in seen.ws.store.require().resting:
        trouble = "emptied: it gets no new seats until `up`"
    return MemberView(name=member.name, online=member.online, seats=served, trouble=trouble)


def _notices(
    seen: _Gathered, found: Sequence[SeatView], now: datetime, *, keeper_runs: bool
) -> Iterator[str]:
    ws = seen.ws
    if ws.record.is_closing:
        yield f"it is closing; what is left is removed by: sandbox workshop down {ws.name}"
    for name in sorted(seen.offline):
        there = [one for one in found if one.member == name and not one.retired]
        lost = [one.word for one in there if one.state is SeatState.LOST]
        on = [one.word for one in there if one.number in seen.going_on]
        if on:
            yield (
                f"{name} does not answer, but these seats there do, without copies of their homes: "
                f"{_listed(on)}"
            )
        if lost or not on:
            yield f"{name} does not answer: {_listed(lost) if lost else 'no seat is there'}"
    if not proxy.proxy_runs(ws):
        yield f"the proxy does not run, so no address answers: sandbox workshop up {ws.record.path}"
    if not keeper_runs:
        yield (
            "homes are not being copied, and lost servers not noticed: "
            f"sandbox workshop up {ws.record.path}"
        )
    yield from _about_copies(ws, found)
    yield from _about_replicas(seen, found, now)
    ends = ws.record.ends
    if ends is not None and now >= ends:
        yield f"it has ended; its machines run on until: sandbox workshop down {ws.name}"
    elif ends is not None and ends - now <= _ENDS_SOON:
        minutes = int((ends - now).total_seconds() // 60)
        yield f"it ends in {minutes} min; more time: sandbox workshop extend {ws.name} --by 30m"


def _about_copies(ws: RunningWorkshop, found: Sequence[SeatView]) -> Iterator[str]:
    copies = ws.workshop.copies
    ready = [one for one in found if one.state is SeatState.READY]
    large = [one for one in ready if one.look and (one.look.home_mb or 0) > copies.max_mb]
    if large:
        words = _listed([one.word for one in large])
        yield f"more than {copies.max_mb} MB in the home, so it is not copied: {words}"
    notes = home_notes(ws.store)
    failed = [one.word for one in ready if one not in large and notes.of(one.number).trouble]
    if failed:
        yield f"the newest copy of the home failed: {_listed(failed)}"


def _about_replicas(seen: _Gathered, found: Sequence[SeatView], now: datetime) -> Iterator[str]:
    ready = [one for one in found if one.state is SeatState.READY]
    failed = [one for one in ready if seen.replicas.of(one.number).trouble]
    if failed:
        why = seen.replicas.of(failed[0].number).trouble
        words = _listed([one.word for one in failed])
        yield f"the newest copy of the whole seat failed: {words} ({why})"
    most_s = 2 * seen.ws.workshop.copies.seats_every_s + 60
    late = [
        one.word
        for one in ready
        if one.replica_at is not None and (now - one.replica_at).total_seconds() > most_s
    ]
    if late and not failed:
        yield f"the copy of the whole seat is old: {_listed(late)}"
    away = [one.word for one in ready if one.replica_on in seen.offline and one.replica_at]
    if away:
        yield f"the copy of the whole seat is on a server that is away: {_listed(away)}"


def _listed(words: Sequence[str]) -> str:
    shown = ", ".join(words[:_MOST_NAMED])
    more = len(words) - _MOST_NAMED
    return f"{shown} and {more} more" if more > 0 else shown
