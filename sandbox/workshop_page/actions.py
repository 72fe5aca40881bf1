"""What the trainer's page asks of the workflows: the one place that knows their names."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from sandbox.saved import stamp
from sandbox.workflows.workshop import (
    add,
    collect,
    exercises,
    extend,
    homes,
    look,
    proxy,
    push,
    reset,
)
from sandbox.workflows.workshop.running import RunningWorkshop
from sandbox.workflows.workshop.view import Asked, ask, view
from sandbox.workshop.cpu_meter import CpuMeter
from sandbox.workshop.names import seat_word
from sandbox.workshop.seat_answer import SeatInside
from sandbox.workshop.view import WorkshopView

_MOST_NAMED: Final = 8
_MACHINES_S: Final = 1.5
"""So long what the provider said of the machines stands, while the seats stay where they are."""
_USES_S: Final = 10.0
"""A shorter time says little of what a processor does; Incus keeps an answer for 8 seconds."""
_FILES: Final = (
    *("workshop.json", "seats.json", "looks.json", "exercises.json", "homes.json"),
    "replicas.json",
)
_VIEW_S: Final = 10.0
"""So long a view stands when nothing changes but how long ago things were."""


@dataclass(frozen=True)
class Actions:
    """Each may raise SandboxError, and runs in a thread; a text is what the trainer reads after."""

    view: Callable[[RunningWorkshop], WorkshopView]
    inside: Callable[[RunningWorkshop, int], SeatInside]
    reset: Callable[[RunningWorkshop, int, bool], str]
    """With True the home comes back into the new machine."""
    restart: Callable[[RunningWorkshop, int], str]
    save_home: Callable[[RunningWorkshop, int], Path]
    """Returns the archive."""
    push: Callable[[RunningWorkshop, Sequence[Path], str, int | None], str]
    """Files, the folder in the home, and one seat or all."""
    collect: Callable[[RunningWorkshop], str]
    exercises: Callable[[RunningWorkshop, int | None], str]
    add: Callable[[RunningWorkshop, int], str]
    extend: Callable[[RunningWorkshop, datetime], str]


def real_actions() -> Actions:
    """Return what the workflows do."""
    return Actions(
        view=RoomViewer(),
        inside=look.inside,
        reset=_reset,
        restart=_restart,
        save_home=lambda ws, number: homes.save_home(ws, number).file,
        push=_push,
        collect=_collect,
        exercises=_exercises,
        add=_add,
        extend=_extend,
    )


class RoomViewer:
    """Looks again and again, and says what the processors did between.

    A claim, a call for help or a look of the keeper changes files alone: the provider is not asked
    for it. May be used from threads.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._asked: Asked | None = None
        self._asked_at = 0.0
        self._served: object = None
        self._made: WorkshopView | None = None
        self._made_at = 0.0
        self._made_of: object = None
        self._uses_at = 0.0
        self._meter = CpuMeter()
        self._percents: Mapping[str, float] = {}

    def __call__(self, ws: RunningWorkshop) -> WorkshopView:
        """Look at the workshop as it is now.

        Raises:
            SandboxError: the provider cannot be asked, or the record cannot be read.
        """
        ws = replace(ws, record=ws.store.require())
        with self._lock:
            files = [stamp(ws.store.folder / name) for name in _FILES]
            asked, now = self._now(ws), self._clock()
            made_of = (files, asked, self._percents, proxy.proxy_runs(ws))
            made = self._made
            is_old = made_of != self._made_of or now - self._made_at >= _VIEW_S
            # Seats of a server that is away are asked themselves
            if made is None or is_old or not all(one.online for one in asked.members):
                made = view(ws, cpu_percents=self._percents, asked=asked)
                self._made, self._made_at, self._made_of = made, now, made_of
            return made

    def _now(self, ws: RunningWorkshop) -> Asked:
        seats, now = ws.map().seats, self._clock()
        served = [(one.number, one.generation, one.ready, one.member) for one in seats]
        asked = self._asked
        is_new = asked is None or served != self._served
        if asked is None or is_new or now - self._asked_at >= _MACHINES_S:
            uses = None if asked is None else asked.uses
            if uses is None or is_new or now - self._uses_at >= _USES_S:
                uses, self._uses_at = ws.seats.uses(ws.name), now
                self._percents = self._meter.percents(uses, now)
            self._asked = asked = ask(ws, uses=uses)
            self._asked_at, self._served = now, served
        return asked


def _reset(ws: RunningWorkshop, number: int, keep_home: bool) -> str:  # noqa: FBT001
    reset.reset(ws, number, keep_home=keep_home)
    return "it has a new machine" + (" with its home" if keep_home else ", and an empty home")


def _restart(ws: RunningWorkshop, number: int) -> str:
    reset.restart_servers(ws, number)
    return "its servers run again"


def _push(ws: RunningWorkshop, paths: Sequence[Path], to: str, number: int | None) -> str:
    done = push.push(ws, paths, to, None if number is None else [number])
    beside = sum(len(one.answer.aside) for one in done)
    failed = [seat_word(one.number) for one in done if not one.is_whole]
    said = [f"{len(done) - len(failed)} of {len(done)} seats have them"]
    if beside:
        said.append(f"{beside} lie as NAME.new beside files that learners changed")
    if failed:
        said.append(f"not whole in {_listed(failed)}: push them again")
    return "; ".join(said)


def _collect(ws: RunningWorkshop) -> str:
    folder = ws.record.path.parent / f"{ws.name}-homes"
    manifest = collect.collect(ws, folder)
    missing = f"; none of {_listed(manifest.missing)}" if manifest.missing else ""
    return f"{len(manifest.homes)} archives in {folder}{missing}"


def _exercises(ws: RunningWorkshop, number: int | None) -> str:
    found = exercises.run_exercises(ws, None if number is None else [number])
    results = [one for of_seat in found.values() for one in of_seat.values()]
    unknown = sum(one.holds is None for one in results)
    said = f"{sum(one.holds is True for one in results)} of {len(results)} checks hold"
    return f"{said}; {unknown} could not be run" if unknown else said


def _add(ws: RunningWorkshop, count: int) -> str:
    return f"{_listed([seat_word(one.number) for one in add.add(ws, [None] * count)])} are ready"


def _extend(ws: RunningWorkshop, ends: datetime) -> str:
    extend.extend(ws, ends)
    return f"it ends at {ends.astimezone():%H:%M on %d %b}"


def _listed(words: Sequence[str]) -> str:
    more = len(words) - _MOST_NAMED
    return ", ".join(words[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
