"""A stand-in for the machines of seats: in memory, with members that can die and come back."""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from sandbox.errors import ProviderError, SandboxError
from sandbox.events import Listener
from sandbox.providers.engine import Power, SshEndpoint
from sandbox.providers.members import Member
from sandbox.providers.seats import Furnishing, MemberLostError, SeatMachine, SeatUse, SeatWish
from sandbox.run import Completed

Answer = Callable[[str, Sequence[str], str | bytes | Path | None], str | bytes | Completed]
"""By machine, command and input: its stdout, or how it ended; may raise ProviderError."""
EMPTY_TAR = bytes(10_240)
"""What tar writes for nothing at all: the answer to a command whose output is to be a file."""


def nothing(_name: str, _argv: Sequence[str], _stdin: str | bytes | Path | None) -> str:
    """Answer every command with success, and no word."""
    return ""


@dataclass
class FakeSeats:
    """Keeps machines in a dict. Kill a member with `dead.add("n2")`."""

    member_names: tuple[str, ...] = ("here",)
    answer: Answer = nothing
    there: dict[str, SeatMachine] = field(default_factory=dict)
    wishes: dict[str, SeatWish] = field(default_factory=dict)
    images_of: dict[str, dict[str, str]] = field(default_factory=dict)
    """By key of a baked image: by member, its name."""
    dead: set[str] = field(default_factory=set)
    rules: dict[str, tuple[str, ...]] = field(default_factory=dict)
    runs: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    fails_to_start: set[str] = field(default_factory=set)
    """Names of machines that do not come up."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def members(self) -> tuple[Member, ...]:
        return tuple(
            Member(one, 2, 16_384, 100_000, 240, online=one not in self.dead)
            for one in self.member_names
        )

    def images(self, key: str) -> Mapping[str, str]:
        return dict(self.images_of.get(key, {}))

    def spread(self, key: str, members: Sequence[str], listener: Listener) -> None:
        del listener
        found = self.images_of.get(key)
        if not found:
            raise ProviderError("no such image")
        for one in members:
            found.setdefault(one, f"Baked-{key}-{one}")

    def prepare(self, workshop: str, may_reach: Sequence[str], listener: Listener) -> None:
        del listener
        self.rules[workshop] = tuple(may_reach)

    def make(
        self,
        wish: SeatWish,
        listener: Listener,
        *,
        furnishing: Furnishing | None = None,
    ) -> SeatMachine:
        del listener
        self._require(wish.member)
        if wish.name in self.fails_to_start:
            raise ProviderError(f"{wish.name} did not get ready")
        if wish.member not in self.images_of.get(wish.image_key, {}):
            raise ProviderError(f"{wish.member} has no such image")
        with self._lock:
            number = len(self.wishes) + 2
            upstreams = {port: f"10.9.{number // 250}.{number % 250}:{port}" for port in wish.ports}
            made = SeatMachine(wish.name, wish.label, wish.member, Power.RUNNING, upstreams)
            self.there[wish.name] = made
            self.wishes[wish.name] = wish
        if furnishing is not None:
            try:
                with ThreadPoolExecutor(1) as one:
                    rest = one.submit(furnishing.meanwhile, made)
                    furnishing.when_up(made)
                    rest.result()
            except SandboxError:
                with suppress(SandboxError):
                    self.remove(wish.name)
                raise
        return made

    def machines(self, workshop: str) -> tuple[SeatMachine, ...]:
        with self._lock:
            found = tuple(one for one in self.there.values() if one.label.workshop == workshop)
        return tuple(
            replace(one, power=Power.BROKEN) if one.member in self.dead else one for one in found
        )

    def start(self, name: str, listener: Listener) -> SeatMachine:
        del listener
        return self._power(name, Power.RUNNING)

    def stop(self, name: str) -> None:
        self._power(name, Power.STOPPED)

    def remove(self, name: str) -> None:
        with self._lock:
            found = self.there.get(name)
        if found is None:
            return
        self._require(found.member)
        with self._lock:
            self.there.pop(name, None)

    def run(
        self,
        name: str,
        argv: Sequence[str],
        *,
        timeout_s: float,
        stdin: str | bytes | Path | None = None,
        output: Path | None = None,
        check: bool = True,
    ) -> Completed:
        del timeout_s
        found = self._found(name)
        if found.power is not Power.RUNNING:
            raise ProviderError(f"{name} does not run")
        with self._lock:
            self.runs.append((name, tuple(argv)))
        said = self.answer(name, argv, stdin)
        if isinstance(said, Completed):
            if check and said.returncode:
                raise ProviderError(f"{argv[0]} failed in {name}", details=said.stderr)
            if output is not None:
                output.write_bytes(said.stdout.encode("latin-1"))
                return replace(said, stdout="")
            return said
        if output is not None:
            output.write_bytes((said if isinstance(said, bytes) else said.encode()) or EMPTY_TAR)
            said = ""
        text = said.decode() if isinstance(said, bytes) else said
        return Completed(tuple(argv), 0, text, "", 0.0)

    def ssh_endpoint(self, name: str) -> SshEndpoint:
        self._found(name)
        return SshEndpoint("sandbox", "192.0.2.1", 22, ("ssh-ed25519 AAAA",))

    def uses(self, workshop: str) -> Mapping[str, SeatUse]:
        return {
            one.name: SeatUse(cpu_s=1.0, memory_mb=100, processes=20, disk_mb=50)
            for one in self.machines(workshop)
            if one.power is Power.RUNNING
        }

    def use_of(self, name: str) -> SeatUse | None:
        return self.uses(self._found(name).label.workshop).get(name)

    def clear(self, workshop: str) -> None:
        self.rules.pop(workshop, None)

    def left(self, workshop: str) -> tuple[str, ...]:
        machines = [f"instance {one.name}" for one in self.machines(workshop)]
        return (*machines, *(["network acl"] if workshop in self.rules else []))

    def _found(self, name: str) -> SeatMachine:
        with self._lock:
            found = self.there.get(name)
        if found is None:
            raise ProviderError(f"there is no machine {name}")
        self._require(found.member)
        return found

    def _power(self, name: str, power: Power) -> SeatMachine:
        changed = replace(self._found(name), power=power)
        with self._lock:
            self.there[name] = changed
        return changed

    def _require(self, member: str) -> None:
        if member in self.dead:
            raise MemberLostError(f"{member} does not answer")
