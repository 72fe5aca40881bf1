"""Give a seat a machine: make it, furnish it, wait until it answers, and only then let it serve.

A machine is the seat only once the map says its generation. Cut off before that, the seat is what
it was, and the next `bring` makes a machine of another name and removes the one that was left.
"""

from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path

from sandbox.errors import HostError, ProviderError, SandboxError, UsageError
from sandbox.events import Notice
from sandbox.providers.seats import (
    Furnishing,
    MemberLostError,
    SeatLabel,
    SeatMachine,
    SeatWish,
)
from sandbox.saved import read_text
from sandbox.ssh import make_key
from sandbox.workflows.workshop import answering, homes, proxy, push
from sandbox.workflows.workshop.leaving import Leaving
from sandbox.workflows.workshop.pace import at_once
from sandbox.workflows.workshop.running import RunningWorkshop, carriers
from sandbox.workflows.workshop.secret import set_secret
from sandbox.workflows.workshop.side_by_side import side_by_side
from sandbox.workshop.names import seat_word
from sandbox.workshop.seat_map import Seat, instance_name

__all__ = [
    "at_once",
    "bring",
    "bring_in",
    "members_for",
    "remove_older",
    "require_answers",
    "serve",
]


def bring(
    ws: RunningWorkshop, number: int, *, member: str | None = None, home: Path | None = None
) -> Seat:
    """Give a seat a new machine, and return the seat as it is then; waits for others at this seat.

    Args:
        ws: the workshop.
        number: the seat's.
        member: the server that is to carry the machine; None: the one with the most room.
        home: the archive of a home that is laid into the machine.

    Raises:
        UsageError: the workshop is closing, or not open any more.
        ProviderError: the machine does not get ready: the seat is as it was before.
    """
    with ws.store.working(number):
        return bring_in(ws, number, member=member, home=home)


def bring_in(
    ws: RunningWorkshop,
    number: int,
    *,
    member: str | None = None,
    home: Path | None = None,
    tell_proxy: bool = True,
    keep_older: bool = False,
    old: Leaving | None = None,
    replica: str = "",
) -> Seat:
    """Do as `bring` does, for a caller that holds the seat already.

    `old` is the machine of before, which the seat leaves without losing anything; what it gives is
    taken instead of `home`. With `tell_proxy` off, the caller brings the map to the proxy when all
    its seats are ready. With `keep_older`, the machine before stays, for a caller that wants its
    home, or has something to say before `remove_older`. With `replica`, the machine is a clone of
    that replica on `member`.
    """
    ws = _as_it_is_now(ws)
    before = ws.seat(number)
    seat = ws.store.change_seat(number, _begun)
    archive = old.home if old is not None else lambda: home
    furnishing = _furnishing(ws, number, archive, tell_proxy=tell_proxy)
    machine = _made(ws, replace(_wish(ws, seat), replica=replica), member, furnishing)
    try:
        with old.for_good(machine.name) if old is not None else nullcontext():
            seat = serve(ws, number, machine)
    except SandboxError:
        with suppress(SandboxError):
            ws.seats.remove(machine.name)
        raise
    if tell_proxy:
        proxy.refresh_proxy(ws)
    if not keep_older:
        remove_older(ws, before, seat)
    return seat


def require_answers(ws: RunningWorkshop, number: int, machine: SeatMachine) -> None:
    """Wait until the servers of a machine answer.

    Raises:
        ProviderError: one does not.
    """
    absent = [
        f"port {one}: it has no address" for one in _ports(ws) if one not in machine.upstreams
    ]
    wrong = (*absent, *answering.silent_servers(machine.upstreams, timeout_s=answering.READY_S))
    if wrong:
        raise ProviderError(
            f"{seat_word(number)} does not answer",
            details="\n".join((f"machine {machine.name}", *wrong)),
            hint=f"sandbox workshop reset {ws.name} {seat_word(number)}",
        )


def serve(ws: RunningWorkshop, number: int, machine: SeatMachine) -> Seat:
    """Write into the map that this machine is the seat, and answers; return the seat."""
    return ws.store.change_seat(number, lambda one: _served_by(one, machine))


def _as_it_is_now(ws: RunningWorkshop) -> RunningWorkshop:
    """The record may have changed since the caller read it: files were pushed, or it is closing."""
    ws = replace(ws, record=ws.store.require())
    if ws.record.is_closing:
        raise UsageError(
            f"the workshop {ws.name} is closing: it gets no more machines",
            hint=f"sandbox workshop down {ws.name} goes on with that",
        )
    return ws


def _begun(seat: Seat) -> Seat:
    return seat.model_copy(update={"begun": max(seat.begun, seat.generation) + 1})


def _served_by(seat: Seat, machine: SeatMachine) -> Seat:
    serving = {
        "generation": machine.label.generation,
        "member": machine.member,
        "upstreams": dict(machine.upstreams),
        "ready": True,
    }
    return seat.model_copy(update=serving)


def _made(
    ws: RunningWorkshop, wish: SeatWish, member: str | None, furnishing: Furnishing
) -> SeatMachine:
    lost: MemberLostError | None = None
    for name in [member] if member is not None else _by_room(ws):
        try:
            return _make_on(ws, replace(wish, member=name), furnishing)
        except MemberLostError as error:
            lost = error
    if lost is not None:
        raise lost
    raise HostError(
        f"no server of the workshop {ws.name} is online",
        hint=f"sandbox workshop status {ws.name} names them",
    )


def _make_on(ws: RunningWorkshop, wish: SeatWish, furnishing: Furnishing) -> SeatMachine:
    try:
        return ws.seats.make(wish, ws.listener, furnishing=furnishing)
    except MemberLostError:
        raise
    except ProviderError:
        if wish.member in ws.seats.images(wish.image_key):
            raise
    # It came to the cluster, or came back, after the workshop was opened
    ws.seats.spread(wish.image_key, [wish.member], ws.listener)
    return ws.seats.make(wish, ws.listener, furnishing=furnishing)


def members_for(ws: RunningWorkshop, how_many: int) -> list[str]:
    """Share machines out: each to the server that then has the fewest for its memory."""
    online = carriers(ws, ws.seats.members())
    counts = Counter(one.member for one in ws.map().seats if one.ready)
    chosen = []
    for _ in range(how_many if online else 0):
        best = min(online, key=lambda one: (counts[one.name] + 1) / max(1, one.memory_mb))
        counts[best.name] += 1
        chosen.append(best.name)
    return chosen


def _by_room(ws: RunningWorkshop) -> list[str]:
    """The servers that are online, the one with the fewest seats for its memory first."""
    counts = Counter(one.member for one in ws.map().seats if one.ready)
    online = carriers(ws, ws.seats.members())
    online.sort(key=lambda one: (counts[one.name] + 1) / max(1, one.memory_mb))
    return [one.name for one in online]


def _wish(ws: RunningWorkshop, seat: Seat) -> SeatWish:
    machine, limits = ws.record.placement.plan.machine, ws.workshop.limits
    label = SeatLabel(ws.name, seat.number, seat.begun)
    return SeatWish(
        name=instance_name(ws.name, seat.number, seat.begun),
        label=label,
        image_key=ws.record.image_key,
        member="",
        cpus=limits.cpus or machine.cpus,
        memory_mb=limits.memory_mb or machine.memory_mb,
        processes=limits.processes,
        disk_gb=limits.disk_gb or machine.disk_gb,
        ports=_ports(ws),
        authorized_key=_public_key(ws),
    )


def _ports(ws: RunningWorkshop) -> tuple[int, ...]:
    return ws.record.placement.plan.forwarded_ports


def _public_key(ws: RunningWorkshop) -> str:
    # Proving that its two halves fit takes a process: `up` did that, once
    said = read_text(ws.store.folder / "id_ed25519.pub")
    return (said or make_key(ws.store.part())).strip()


def _furnishing(
    ws: RunningWorkshop, number: int, archive: Callable[[], Path | None], *, tell_proxy: bool
) -> Furnishing:
    def lay_files(machine: SeatMachine) -> None:
        if (home := archive()) is not None:
            homes.lay_home(ws, machine.name, home)
        # After the home, which knows what was handed out to it: what was pushed since comes too
        push.hand_out(ws, machine.name)

    def furnish(machine: SeatMachine) -> None:
        parts: list[Callable[[], None]] = [
            lambda: set_secret(ws, number, machine.name),
            lambda: lay_files(machine),
        ]
        if tell_proxy:
            # Most of this is loading what writes its files, and later each moment counts
            parts.append(lambda: proxy.refresh_proxy(ws))
        for outcome in side_by_side(parts, lambda part: part(), at_once=len(parts)):
            if outcome.error is not None:
                raise outcome.error

    # Its servers come up meanwhile: most of this is waiting
    return Furnishing(furnish, lambda machine: require_answers(ws, number, machine))


def remove_older(ws: RunningWorkshop, before: Seat, now: Seat) -> None:
    """Remove the machine that served the seat, and those that never came to serve it."""
    for generation in range(max(1, before.generation), now.generation):
        name = instance_name(ws.name, now.number, generation)
        try:
            ws.seats.remove(name)
        except MemberLostError:
            # It is old when its server is back: `tend_members` saves its home and removes it
            continue
        except ProviderError as error:
            text = f"the old machine {name} is still there: {error.message}"
            ws.listener(Notice(ws.name, text))
