"""What the keeper's child does while a workshop is open: parts that cannot stop each other.

Each part has a thread of its own, and is done again and again; one that fails, or hangs, is its own
trouble. Nothing is asked of a seat in which nothing has happened.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from sandbox.deadline import wait_until
from sandbox.errors import SandboxError
from sandbox.files import shorten
from sandbox.host.nginx import OwnNginx
from sandbox.providers.seats import SeatUse
from sandbox.saved import Stamp, stamp
from sandbox.workflows.workshop import homes, look, members, proxy
from sandbox.workflows.workshop.keeper import is_over, log_of
from sandbox.workflows.workshop.quiet import Quiet, quiets, spent_s, use_of
from sandbox.workflows.workshop.replicating import EVERY_S, ReplicasPart
from sandbox.workflows.workshop.running import RunningWorkshop
from sandbox.workshop.names import seat_word

Say = Callable[[str], None]

_DONE_S: Final = 0.5
_PROXY_S: Final = 1.0
_HOMES_S: Final = 5.0
"""How often to see which homes are due: those of a few seconds share what is asked for them. How
often a home is due, the workshop file says."""
_MEMBERS_S: Final = 5.0
_LOOKS_S: Final = 10.0
_LOGS_S: Final = 60.0
_USES_S: Final = 5.0
_LOOKS_AT_MOST: Final = 4
"""So many seats in one round, those first that were not looked into for longest: a look starts
a program there, and thirty people at work must not slow each other by it."""
_LOG_BYTES: Final = 1024 * 1024
_LONGEST_PAUSE_S: Final = 30.0
_SAY_AGAIN_S: Final = 600.0


@dataclass
class Part:
    """Something that is done again and again."""

    name: str
    every_s: float
    do: Callable[[], None]
    longest_pause_s: float = _LONGEST_PAUSE_S
    """After failures it is done less often, up to this."""


class Fresh:
    """The workshop as its files have it now; read again only when they have changed."""

    def __init__(self, ws: RunningWorkshop) -> None:
        self._ws = ws
        self._seen: Stamp | None = None
        self._lock = threading.Lock()

    def workshop(self) -> RunningWorkshop:
        """Return it with the record of now: more was handed out, or its end was moved."""
        with self._lock:
            now = stamp(self._ws.store.folder / "workshop.json")
            if now != self._seen:
                record = self._ws.store.read()
                if record is not None:
                    self._ws = replace(self._ws, record=record)
                    self._seen = now
            return self._ws


@dataclass
class Uses:
    """What the seats use, asked by one question for all parts, and not too often."""

    fresh: Fresh
    clock: Callable[[], float] = time.monotonic
    _found: Mapping[str, SeatUse] = field(default_factory=dict)
    _at: float | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def now(self) -> Mapping[str, SeatUse]:
        """Return an answer of a moment ago; the provider's own may be some seconds older."""
        with self._lock:
            if self._at is None or self.clock() - self._at > _USES_S:
                ws = self.fresh.workshop()
                self._found = ws.seats.uses(ws.name)
                self._at = self.clock()
            return self._found


class ProxyPart:
    """Starts the proxy again when it has gone, and lets it read where seats are now."""

    def __init__(self, fresh: Fresh) -> None:
        self._fresh = fresh
        self._seen: tuple[tuple[int, Mapping[int, str]], ...] | None = None

    def do(self) -> None:
        """Look once."""
        ws = self._fresh.workshop()
        # Not the file: it is written anew with each copy of a home
        now = tuple((one.number, one.upstreams) for one in ws.map().seats if one.ready)
        if (now == self._seen and proxy.proxy_runs(ws)) or is_over(ws.store):
            return
        proxy.ensure_proxy(ws)
        self._seen = now


class HomesPart:
    """Copies each home every so often, one after the other and not all in one burst."""

    def __init__(
        self, fresh: Fresh, quiet: Quiet, say: Say, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fresh, self._quiet, self._say, self._clock = fresh, quiet, say, clock
        self._due: dict[int, float] = {}
        self._told = Told(say)

    def do(self) -> None:
        """Copy the homes that are due."""
        ws = self._fresh.workshop()
        every_s, now = float(ws.workshop.copies.every_s), self._clock()
        seats = [one for one in ws.map().seats if one.ready and one.generation]
        for at, seat in enumerate(seats):
            # The first time spread over the whole while, and so ever after
            self._due.setdefault(seat.number, now + every_s * at / len(seats))
        due = [one for one in seats if self._due[one.number] <= now]
        if not due:
            return
        names = {one.number: ws.map().instance_of(one) for one in due}
        # Of these few, and of now: what was done a moment ago is to be in the copy
        uses = {one.number: use_of(ws.seats, names[one.number]) for one in due}
        busy = [one for one in due if not self._quiet.is_quiet(names[one.number], uses[one.number])]
        for one in due:
            # From when it was due, not from now: else each time would be a little later
            self._due[one.number] = max(self._due[one.number], now - every_s) + every_s
        if not busy:
            return
        outcomes = homes.save_homes(ws, [one.number for one in busy])
        for outcome in outcomes:
            word, name = seat_word(outcome.item), names[outcome.item]
            if outcome.error is not None:
                self._told.tell(word, f"the home of {word} was not copied: {_words(outcome.error)}")
            else:
                use = uses[outcome.item]
                self._quiet.looked(name, use, spent_s(use, use_of(ws.seats, name)))
                self._told.well(word)


class LooksPart:
    """Looks into the seats in which something has happened."""

    def __init__(self, fresh: Fresh, uses: Uses, quiet: Quiet, say: Say) -> None:
        self._fresh, self._uses, self._quiet = fresh, uses, quiet
        self._rounds: dict[int, int] = {}
        self._round = 0
        self._told = Told(say)

    def do(self) -> None:
        """Look once into some of the seats that are not quiet."""
        ws = self._fresh.workshop()
        seats = ws.map()
        uses = self._uses.now()
        names = {one.number: seats.instance_of(one) for one in seats.seats if one.ready}
        busy = [
            number
            for number, name in names.items()
            if name in uses and not self._quiet.is_quiet(name, uses[name])
        ]
        if not busy:
            return
        self._round += 1
        busy = sorted(busy, key=lambda number: self._rounds.get(number, 0))[:_LOOKS_AT_MOST]
        self._rounds.update(dict.fromkeys(busy, self._round))
        before = {number: use_of(ws.seats, names[number]) for number in busy}
        errors = look.look_into(ws, busy)
        for number in busy:
            word = seat_word(number)
            if number in errors:
                self._told.tell(word, f"{word} cannot be looked into: {_words(errors[number])}")
            else:
                name = names[number]
                spent = spent_s(before[number], use_of(ws.seats, name))
                self._quiet.looked(name, uses[name], spent)
                self._told.well(word)


class Told:
    """Says a thing once, and again only after a while: a log must not fill with one sentence."""

    def __init__(self, say: Say, clock: Callable[[], float] = time.monotonic) -> None:
        self._say, self._clock = say, clock
        self._last: dict[str, tuple[str, float]] = {}

    def tell(self, about: str, words: str) -> None:
        """Say it, unless it was just said."""
        before, at = self._last.get(about, ("", 0.0))
        if words != before or self._clock() - at > _SAY_AGAIN_S:
            self._last[about] = (words, self._clock())
            self._say(words)

    def well(self, about: str) -> None:
        """Forget what was said: it is mended."""
        if self._last.pop(about, None) is not None:
            self._say(f"{about}: well again")


def parts_of(ws: RunningWorkshop, say: Say, serve: Callable[[RunningWorkshop], None]) -> list[Part]:
    """Return all that is done for an open workshop; `serve` serves its pages, and returns never."""
    fresh, watch = Fresh(ws), members.MemberWatch()
    uses, (for_copies, for_looks) = Uses(fresh), quiets()

    def tend() -> None:
        for words in members.tend_members(fresh.workshop(), watch):
            say(words)

    return [
        Part("the proxy", _PROXY_S, ProxyPart(fresh).do),
        Part("the pages", 1.0, lambda: serve(fresh.workshop())),
        Part("the copies of homes", _HOMES_S, HomesPart(fresh, for_copies, say).do),
        Part("the copies of whole seats", EVERY_S, ReplicasPart(fresh.workshop).do),
        # It fails just when a server dies
        Part("the watch over the servers", _MEMBERS_S, tend, longest_pause_s=_MEMBERS_S),
        Part("the looks into seats", _LOOKS_S, LooksPart(fresh, uses, for_looks, say).do),
        Part("the logs", _LOGS_S, lambda: _shorten_logs(ws)),
    ]


def tend(parts: list[Part], say: Say, is_done: Callable[[], bool]) -> None:
    """Do all parts until it is done; an interrupt ends it too.

    The threads end with the process: one that hangs cannot keep it.
    """
    over = threading.Event()
    for part in parts:
        threading.Thread(
            target=_again_and_again, args=(part, over, Told(say)), name=part.name, daemon=True
        ).start()
    try:
        wait_until(is_done, every_s=_DONE_S)
    finally:
        over.set()


def _again_and_again(part: Part, over: threading.Event, told: Told) -> None:
    pause_s = 0.0
    while not over.wait(pause_s):
        try:
            part.do()
        except Exception as error:  # noqa: BLE001  (no part may stop for good)
            told.tell(part.name, f"{part.name}: {_words(error)}")
            pause_s = min(max(part.every_s, pause_s * 2), max(part.every_s, part.longest_pause_s))
        else:
            told.well(part.name)
            pause_s = part.every_s


def _words(error: Exception) -> str:
    if isinstance(error, SandboxError):
        last = error.details.strip().splitlines()[-1:]
        return ": ".join([error.message, *last])
    return f"{type(error).__name__}: {error}"


def _shorten_logs(ws: RunningWorkshop) -> None:
    nginx = OwnNginx(ws.store.folder / "nginx", ws.workshop.listen.port, "listen.port")
    for path in (log_of(ws.store), nginx.log):
        shorten(path, _LOG_BYTES)
