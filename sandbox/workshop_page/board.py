"""What the trainer's page shows now, and telling every open page what has changed.

One task looks at the workshop, and only while somebody has the page open. Each page remembers what
it was sent; a slow one skips what is old, and nobody waits for it.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final

from sandbox.errors import SandboxError
from sandbox.workshop.view import WorkshopView
from sandbox.workshop_page.jobs import Job
from sandbox.workshop_page.rows import ClassSummary, Row, rows_of, summary_of

LOOK_S: Final = 2.0
"""From one look at the machines to the next."""
GLANCE_S: Final = 0.25
"""How often the workshop's own files are looked at: a claim shows at once."""
_REST: Final = 40
"""A look that needs much of the processor comes less often: one part in so many."""
_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True)
class Shown:
    """What pages show at one moment."""

    rows: tuple[Row, ...] = ()
    """Who is stuck comes first."""
    summary: ClassSummary | None = None
    jobs: tuple[Job, ...] = ()
    trouble: str = ""
    """Why the last look failed; the rest is then of the look before."""
    title: str = ""
    exercises: tuple[str, ...] = ()

    def ordered(self, *, by_seat: bool) -> tuple[Row, ...]:
        """Return the rows in the order that a page wants."""
        return tuple(sorted(self.rows, key=lambda row: row.number)) if by_seat else self.rows


@dataclass
class Board:
    """Used in one event loop; `poke` may be called from any thread."""

    look: Callable[[], WorkshopView]
    """Runs in a thread."""
    jobs: Callable[[], tuple[Job, ...]]
    stamp: Callable[[], object]
    """Changes whenever the workshop's own files do; must be quick."""
    shown: Shown = field(default_factory=Shown)
    version: int = 0
    trouble: str = ""
    """Why the last look failed."""
    is_over: bool = False
    """The process ends: open streams end too."""
    watchers: int = 0
    looks: int = 0
    """How often the workshop was looked at."""
    _loop: asyncio.AbstractEventLoop | None = None
    _task: asyncio.Task[None] | None = None
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    _looking: asyncio.Lock = field(default_factory=asyncio.Lock)
    _hurry: asyncio.Event = field(default_factory=asyncio.Event)
    _look_wanted: bool = False
    _seen: Shown | None = None
    _view: WorkshopView | None = None
    """What was seen was made of it."""
    _look_cpu_s: float = 0.0

    def poke(self, *, look: bool = True) -> None:
        """Show what has changed as soon as possible; without `look`, only the jobs have."""
        loop = self._loop
        if loop is None or loop.is_closed():
            return

        def wake() -> None:
            self._look_wanted = self._look_wanted or look
            self._hurry.set()

        loop.call_soon_threadsafe(wake)

    async def fresh(self) -> Shown:
        """Look now, unless the task has just done so, and return what is to be shown."""
        self._loop = asyncio.get_running_loop()
        if self._task is None or self._seen is None:
            await self._look_now()
        await self._publish()
        return self.shown

    async def end(self) -> None:
        """Let all open streams end."""
        async with self._changed:
            self.is_over = True
            self.version += 1
            self._changed.notify_all()

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Keep the task at work while a page is open."""
        self._loop = asyncio.get_running_loop()
        self.watchers += 1
        if self._task is None:
            self._task = asyncio.create_task(self._work())
        try:
            yield
        finally:
            self.watchers -= 1
            if self.watchers == 0 and self._task is not None:
                self._task.cancel()
                self._task = None

    async def after(self, version: int, timeout_s: float) -> int:
        """Wait until there is something newer than `version`; return the newest version."""
        try:
            async with asyncio.timeout(timeout_s), self._changed:
                await self._changed.wait_for(lambda: self.version != version)
        except TimeoutError:
            pass
        return self.version

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        stamp, due = self.stamp(), loop.time()
        while True:
            now = self.stamp()
            if self._look_wanted or loop.time() >= due or now != stamp:
                self._look_wanted, stamp = False, now
                await self._look_now()
                due = loop.time() + max(LOOK_S, self._look_cpu_s * _REST)
            await self._publish()
            self._hurry.clear()
            try:
                async with asyncio.timeout(GLANCE_S):
                    await self._hurry.wait()
            except TimeoutError:
                pass

    async def _look_now(self) -> None:
        async with self._looking:
            self.looks += 1
            try:
                self._seen, self._look_cpu_s = await asyncio.to_thread(self._see)
                self.trouble = ""
            except SandboxError as error:
                self.trouble = f"The seats cannot be seen now: {error.message}"
            except Exception as error:  # noqa: BLE001  (the page must go on, and try again)
                _LOG.exception("looking at the workshop")
                self.trouble = f"The seats cannot be seen now: {type(error).__name__}"

    def _see(self) -> tuple[Shown, float]:
        """Look, in a thread; also say how much of the processor it took."""
        began = time.thread_time()
        view = self.look()
        if view is not self._view or self._seen is None:
            rows, summary = rows_of(view), summary_of(view)
            self._seen = Shown(rows, summary, title=view.title, exercises=view.exercises)
            self._view = view
        return self._seen, time.thread_time() - began

    async def _publish(self) -> None:
        shown = replace(self._seen or Shown(), jobs=self.jobs(), trouble=self.trouble)
        if shown == self.shown and self.version:
            return
        async with self._changed:
            self.shown = shown
            self.version += 1
            self._changed.notify_all()


@dataclass
class Sent:
    """What one page has."""

    order: tuple[int, ...] = ()
    rows: Mapping[int, Row] = field(default_factory=dict)
    summary: tuple[ClassSummary | None, str] | None = None
    jobs: tuple[Job, ...] = ()

    def take(self, shown: Shown, *, by_seat: bool) -> "News":
        """Note that the page gets all this; return what of it is new to it."""
        rows = shown.ordered(by_seat=by_seat)
        order = tuple(row.number for row in rows)
        summary = (shown.summary, shown.trouble)
        known = {job.number: job for job in self.jobs}
        news = [job for job in shown.jobs if known.get(job.number) != job and not job.runs]
        same_order = order == self.order
        change = News(
            all_rows=None if same_order else rows,
            rows=tuple(row for row in rows if self.rows.get(row.number) != row)
            if same_order
            else (),
            has_summary=summary != self.summary,
            has_jobs=shown.jobs != self.jobs,
            news=tuple(reversed(news)),
        )
        self.order, self.rows = order, {row.number: row for row in rows}
        self.summary, self.jobs = summary, shown.jobs
        return change


@dataclass(frozen=True)
class News:
    """What a page lacks."""

    all_rows: tuple[Row, ...] | None
    """The whole table, when the order has changed."""
    rows: tuple[Row, ...]
    has_summary: bool
    has_jobs: bool
    news: tuple[Job, ...]
    """What has ended, or was said, since the page was last told: to be read aloud."""

    @property
    def is_any(self) -> bool:
        """Whether there is something to send."""
        return bool(self.all_rows is not None or self.rows or self.has_summary or self.has_jobs)
