"""Long work that the trainer starts at the page: in threads, its progress seen in every tab."""

import itertools
import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from sandbox.errors import SandboxError
from sandbox.events import Event, Notice, StepStarted
from sandbox.workflows.workshop.running import RunningWorkshop

_AT_ONCE: Final = 4
_KEPT: Final = 30
_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """Work that was started, or something that the trainer should know."""

    number: int
    title: str
    at: datetime
    words: str = ""
    """What it does just now; in the end its result."""
    hint: str = ""
    runs: bool = False
    failed: bool = False
    link: str = ""
    """Where its result can be had."""


@dataclass(frozen=True)
class JobResult:
    """How it went."""

    words: str
    link: str = ""


class Jobs:
    """All jobs of this process. Its methods may be called from any thread."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._lock = threading.Lock()
        self._jobs: deque[Job] = deque(maxlen=_KEPT)
        self._busy: set[str] = set()
        self._numbers = itertools.count(1)
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="job")

    def newest(self) -> tuple[Job, ...]:
        """Return the jobs, the newest first."""
        with self._lock:
            return tuple(reversed(self._jobs))

    def say(self, title: str, *, failed: bool = False) -> None:
        """Tell all trainers something."""
        self._add(Job(next(self._numbers), title, datetime.now(UTC), failed=failed))

    def start(
        self,
        key: str,
        title: str,
        ws: RunningWorkshop,
        work: Callable[[RunningWorkshop], JobResult],
    ) -> bool:
        """Start work in a thread; False when work with this key is under way already."""
        with self._lock:
            if key in self._busy:
                return False
            self._busy.add(key)
        job = Job(next(self._numbers), title, datetime.now(UTC), words="has begun", runs=True)
        self._add(job)
        self._pool.submit(self._run, key, job, ws, work)
        return True

    def close(self) -> None:
        """Begin no more work; what is under way comes to its end."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _run(
        self,
        key: str,
        job: Job,
        ws: RunningWorkshop,
        work: Callable[[RunningWorkshop], JobResult],
    ) -> None:
        def hear(event: Event) -> None:
            ws.context.listener(event)
            if isinstance(event, StepStarted):
                self._change(replace(job, words=event.title))
            elif isinstance(event, Notice):
                self._change(replace(job, words=event.text))

        heard = replace(ws, context=replace(ws.context, listener=hear))
        try:
            result = work(heard)
            job = replace(job, words=result.words, link=result.link)
        except SandboxError as error:
            words = ": ".join(one for one in (error.message, error.details) if one)
            job = replace(job, words=words, hint=error.hint, failed=True)
        except Exception as error:  # noqa: BLE001  (the page goes on, and the trainer must know)
            _LOG.exception("%s", job.title)
            job = replace(job, words=f"{type(error).__name__}: {error}", failed=True)
        with self._lock:
            self._busy.discard(key)
        self._change(replace(job, runs=False))

    def _add(self, job: Job) -> None:
        with self._lock:
            self._jobs.append(job)
        self._on_change()

    def _change(self, job: Job) -> None:
        with self._lock:
            for at, one in enumerate(self._jobs):
                if one.number == job.number:
                    self._jobs[at] = job
        self._on_change()
