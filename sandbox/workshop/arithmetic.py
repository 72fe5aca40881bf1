"""What a workshop takes, and whether its machines can carry it: said before the day. Pure.

The figures are measured ones; docs/workshop.md says where and how.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sandbox.host.kernel_limits import WATCHERS, WATCHERS_OF_ONE
from sandbox.providers.members import Member

IDLE_MB: Final = 100
"""Memory of a running seat in which nobody works (`make bench`, row `clones`)."""
HOST_MB: Final = 1024
"""What the system, Incus, the proxy and the page of this host need for themselves."""
SEAT_DISK_MB: Final = 50
"""What a new seat adds to the pool: clones share what they have in common with their image."""
START_S: Final = 8.0
"""From the clone of a seat until its servers answer, when as many are made at once as may be
(`python -m bench seats`)."""
REPLICA_IDLE_MB: Final = 3
"""What a copy of a whole seat sends when nothing has changed there: the list of its files."""
AT_ONCE_PER_CPU: Final = 2
"""More clones at once than this make none of them faster, and Incus's database gets in the way."""
PEOPLE_PER_ACCESS_POINT: Final = 25
KBIT_PER_PERSON: Final = 500

NEEDS: Final[Mapping[str, tuple[int, int]]] = {
    WATCHERS: (128, WATCHERS_OF_ONE),
    "kernel.keys.maxkeys": (200, 60),
    "kernel.keys.maxbytes": (20_000, 6_000),
    "kernel.pid_max": (4_000, 500),
    "fs.file-max": (100_000, 4_000),
    "net.ipv4.neigh.default.gc_thresh3": (64, 2),
}
"""By limit: what the host itself needs, and what each running container adds."""


@dataclass(frozen=True)
class Wanted:
    """What the workshop asks for."""

    people: int
    """Seats for people."""
    spare: int
    """Seats that are ready for others."""
    work_mb: int
    """Memory of a seat at work."""
    disk_mb: int = SEAT_DISK_MB
    """What a seat adds to the pool until the end of the class."""
    image_mb: int = 0
    """The baked image: each member needs one of its own."""
    replica_every_s: int = 0
    """Seconds from one copy of a whole seat to the next; 0: there are no such copies."""

    @property
    def replica_mb(self) -> int:
        """What the copy of a whole seat adds to another member's pool: what the seat adds here."""
        return self.disk_mb if self.replica_every_s else 0

    @property
    def seats(self) -> int:
        """All seats."""
        return self.people + self.spare


@dataclass(frozen=True)
class LowLimit:
    """A limit of the kernel that is too low for so many seats."""

    name: str
    """As sysctl calls it."""
    value: int
    needed: int


@dataclass(frozen=True)
class Share:
    """What one member carries."""

    member: Member
    seats: int
    idle_mb: int
    work_mb: int
    disk_mb: int
    start_s: float
    replicas: int = 0
    """Copies of whole seats of other members."""


@dataclass(frozen=True)
class Estimate:
    """The answer of `workshop plan`."""

    shares: tuple[Share, ...]
    start_s: float
    """From `up` of a baked box until all seats answer."""
    access_points: int
    room_mbit: float
    refusals: tuple[str, ...]
    """Why it cannot be; empty when it can."""
    warnings: tuple[str, ...]
    """What will not stop it, and should be known."""
    replica_mbit: tuple[float, float] = (0.0, 0.0)
    """What a server sends for copies of whole seats: when nothing changes, and at the most."""

    @property
    def fits(self) -> bool:
        """Whether all seats can be carried."""
        return not self.refusals


def estimate(wanted: Wanted, members: Sequence[Member]) -> Estimate:
    """Share the seats out by memory, and find all that stands in the way."""
    online = [one for one in members if one.online]
    counts = share_out(wanted, online)
    shares = tuple(_share(wanted, one, counts) for one in online)
    refusals = tuple(_refusals(wanted, shares))
    people = wanted.people
    return Estimate(
        shares=shares,
        start_s=max((one.start_s for one in shares), default=0.0),
        access_points=math.ceil(people / PEOPLE_PER_ACCESS_POINT),
        room_mbit=people * KBIT_PER_PERSON / 1000,
        refusals=refusals,
        warnings=tuple(_warnings(wanted, shares, members)),
        replica_mbit=_replica_mbit(wanted, shares),
    )


def share_out(wanted: Wanted, members: Sequence[Member]) -> dict[str, int]:
    """Give each seat to the member that then has the most memory left for each of its seats."""
    counts = {one.name: 0 for one in members}
    for _ in range(wanted.seats if members else 0):
        best = max(members, key=lambda one: one.memory_mb - (counts[one.name] + 1) * wanted.work_mb)
        counts[best.name] += 1
    return counts


def _replica_mbit(wanted: Wanted, shares: Sequence[Share]) -> tuple[float, float]:
    if not wanted.replica_every_s:
        return 0.0, 0.0
    most_seats = max((one.seats for one in shares), default=0)
    per_mb = most_seats * 8 / wanted.replica_every_s
    return per_mb * REPLICA_IDLE_MB, per_mb * max(wanted.replica_mb, REPLICA_IDLE_MB)


def _share(wanted: Wanted, member: Member, counts: Mapping[str, int]) -> Share:
    seats, others = counts[member.name], len(counts) - 1
    elsewhere = sum(counts.values()) - seats
    replicas = math.ceil(elsewhere / others) if wanted.replica_every_s and others else 0
    rounds = math.ceil(seats / (AT_ONCE_PER_CPU * max(1, member.cpus)))
    return Share(
        member=member,
        seats=seats,
        idle_mb=seats * IDLE_MB,
        work_mb=seats * wanted.work_mb,
        disk_mb=wanted.image_mb + seats * wanted.disk_mb + replicas * wanted.replica_mb,
        start_s=rounds * START_S,
        replicas=replicas,
    )


def carried(wanted: Wanted, member: Member) -> int:
    """Return how many seats at work a member can carry: by memory, disk and addresses."""
    by_memory = (member.memory_mb - HOST_MB) // wanted.work_mb
    by_disk = (member.disk_mb - wanted.image_mb) // max(1, wanted.disk_mb + wanted.replica_mb)
    return max(0, min(by_memory, by_disk, member.addresses))


def _refusals(wanted: Wanted, shares: Sequence[Share]) -> Iterator[str]:
    if not shares:
        yield "no member of the cluster is online"
        return
    most = sum(carried(wanted, one.member) for one in shares)
    for one in shares:
        member = one.member
        if one.work_mb + HOST_MB > member.memory_mb:
            yield (
                f"{member.name}: {one.seats} seats at work need {_gb(one.work_mb)} of memory, "
                f"{_gb(max(0, member.memory_mb - HOST_MB))} are free for them"
            )
        if one.disk_mb > member.disk_mb:
            yield f"{member.name}: needs {_gb(one.disk_mb)} of disk, {_gb(member.disk_mb)} are free"
        if one.seats > member.addresses:
            yield f"{member.name}: {one.seats} seats, and {member.addresses} addresses are free"
        yield from _low_limits(one)
    if most < wanted.seats:
        yield f"{most} seats fit, and {wanted.seats} are wanted ({wanted.spare} of them spare)"


def _low_limits(share: Share) -> Iterator[str]:
    for one in low_limits(share.member, share.seats):
        yield (
            f"{share.member.name}: the kernel's limit {one.name} is {one.value}, and {share.seats} "
            f"seats need {one.needed}"
        )


def low_limits(member: Member, seats: int) -> tuple[LowLimit, ...]:
    """List the limits of a member's kernel that so many seats would reach."""
    found = (
        LowLimit(name, member.limits[name], own + each * seats)
        for name, (own, each) in NEEDS.items()
        if name in member.limits
    )
    return tuple(one for one in found if one.value < one.needed)


def _warnings(wanted: Wanted, shares: Sequence[Share], members: Sequence[Member]) -> Iterator[str]:
    for one in members:
        if not one.online:
            yield f"{one.name} is offline: it gets no seat"
    for share in shares:
        if not share.member.limits:
            yield (
                f"{share.member.name}: the limits of its kernel cannot be read from here; run "
                f"`sandbox doctor --seats {share.seats}` there"
            )
    if len(shares) > 1:
        for lost in shares:
            rest = [one.member for one in shares if one is not lost]
            if sum(carried(wanted, one) for one in rest) < wanted.seats:
                yield f"when {lost.member.name} is lost, the others cannot carry all of its seats"


def _gb(megabytes: float) -> str:
    return f"{megabytes / 1024:.1f} GB"
