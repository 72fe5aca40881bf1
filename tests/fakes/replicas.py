"""A stand-in for replicas of seats: in a machine is one word, and the number of its home."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from sandbox.errors import ProviderError
from sandbox.events import Listener
from sandbox.providers.replicas import ReplicaWish, SeatReplica
from sandbox.providers.seats import MemberLostError
from tests.fakes.learners import Homes
from tests.fakes.seats import FakeSeats


def nothing() -> None:
    """Do nothing."""


@dataclass
class FakeReplicas:
    """Keeps replicas in a dict, on the members of `seats`."""

    seats: FakeSeats
    homes: Homes
    installed: dict[str, str] = field(default_factory=dict)
    """By machine: what was put there outside the home."""
    there: dict[str, SeatReplica] = field(default_factory=dict)
    holds: dict[str, tuple[str, int]] = field(default_factory=dict)
    """By replica that is whole: what was installed, and the number of the home."""
    wishes: list[ReplicaWish] = field(default_factory=list)
    why_not: str = ""
    fails: str = ""
    """Why copies fail."""
    meanwhile: Callable[[], object] = nothing
    """Happens while a copy is made."""
    cut: Callable[[], None] = nothing

    def obstacle(self) -> str:
        return self.why_not

    def copy(self, wish: ReplicaWish, listener: Listener) -> None:
        del listener
        self.cut()
        source = self.seats.there[wish.machine]
        self._require(wish.member)
        self._require(source.member)
        assert wish.name not in self.there, "no name is used twice"
        assert wish.member != source.member
        if wish.before:
            assert self.there[wish.before].member == wish.member
        self.wishes.append(wish)
        self.there[wish.name] = SeatReplica(
            wish.name, wish.label.workshop, wish.label.seat, wish.member
        )
        self.cut()
        holds = (self.installed.get(wish.machine, ""), self.homes.stamps.get(wish.machine, 0))
        self.meanwhile()
        if self.fails:
            raise ProviderError(self.fails)
        self.holds[wish.name] = holds
        self.cut()

    def replicas(self, workshop: str) -> tuple[SeatReplica, ...]:
        return tuple(
            replace(one, is_reachable=one.member not in self.seats.dead)
            for one in self.there.values()
            if one.workshop == workshop
        )

    def remove(self, name: str) -> None:
        self.cut()
        if name in self.there:
            self._require(self.there[name].member)
            self.there.pop(name, None)
            self.holds.pop(name, None)
        self.cut()

    def _require(self, member: str) -> None:
        if member in self.seats.dead:
            raise MemberLostError(f"{member} does not answer")
