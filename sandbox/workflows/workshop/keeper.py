"""The keeper of an open workshop: a process in the background that outlives the command.

Two processes: a small parent, which holds the lock `keeper` and starts its child again whenever it
ends unexpectedly, and the child, which does the work. A child whose parent was killed starts a new
parent and ends: any one of the two comes back by itself. When both are killed at once, the next
command on the workshop starts them (`revive_keeper`).
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final

from sandbox.daemons import run_beside, spawn_daemon
from sandbox.deadline import Deadline, keep_trying, wait_until
from sandbox.errors import CommandError, HostError
from sandbox.events import Notice
from sandbox.locks import HeldError, Lock, lock_path
from sandbox.workflows.workshop.running import RunningWorkshop
from sandbox.workshop.store import WorkshopStore

PARENT: Final = "keeper"
CHILD: Final = "keeper-work"
"""The locks of the two, which have their process ids in them."""
KEPT: Final = (
    "HOME",
    "LOGNAME",
    "USER",
    "XDG_STATE_HOME",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
    "SANDBOX_*_PREFIX",
    "SANDBOX_*_REMOTE",
    "SANDBOX_PROVIDER",
    "*_CONF",
    "*_DIR",
    "*_SOCKET",
    "PYTHONPATH",
)
"""The variables that the keeper needs of the command that started it: where our files are, and
where the machines. Nothing else, and no secret, gets to it."""
_PAUSES_S: Final = (0.05, 0.05, 0.2, 1.0, 2.0, 5.0, 15.0, 30.0)
_WELL_S: Final = 60.0
"""A child that worked for so long was well: what it ended of is new."""
_SOON_S: Final = 15.0
_PROBED_S: Final = 1.0


def ensure_keeper(ws: RunningWorkshop) -> None:
    """Start the keeper where it does not run; can be done again, and by many at once.

    Raises:
        HostError: it does not start; `details` has its last words.
    """
    start_keeper(ws.store)


def start_keeper(store: WorkshopStore) -> None:
    """Start the keeper of a workshop by its folder alone, as `ensure_keeper` does.

    Raises:
        HostError: it does not start.
    """
    if keeper_runs(store):
        return
    log = store.part("logs") / log_of(store).name
    spawn_daemon(keeper_words(store.name), log=log, keep=KEPT, cwd=Path("/"))
    if not wait_until(lambda: keeper_runs(store), Deadline(_SOON_S), every_s=0.05):
        raise HostError(
            "the keeper of the workshop does not start: no home is copied, and nobody watches",
            details=_last_lines(log),
            hint=f"sandbox workshop status {store.name}",
        )


def revive_keeper(ws: RunningWorkshop) -> bool:
    """Start the keeper again where both of its processes are gone; tell the listener.

    Only one that has run: the first is started by `up`, at its end. No command has to fail because
    the keeper does not start: what is wrong is told, too.
    """
    store = ws.store
    if ws.record.is_closing or not log_of(store).exists():
        return False
    if keeper_runs(store) or holder(store, CHILD) is not None:
        return False
    lost = "no home was copied and no lost server noticed since then"
    try:
        start_keeper(store)
    except HostError as error:
        why = f"{error.message}; try: sandbox workshop up {ws.record.path}"
        ws.listener(Notice(ws.name, f"the keeper of {ws.name} was killed. {why}"))
        return False
    ws.listener(Notice(ws.name, f"the keeper of {ws.name} was killed ({lost}): it runs again"))
    return True


def stop_keeper(ws: RunningWorkshop) -> None:
    """End the keeper, parent and child; does nothing when it does not run.

    Raises:
        HostError: it does not end.
    """
    end_keeper(ws.store)


def end_keeper(store: WorkshopStore) -> None:
    """End the keeper of a workshop by its folder alone, as `stop_keeper` does.

    Raises:
        HostError: it does not end.
    """
    for number in (signal.SIGTERM, signal.SIGKILL):
        told: set[int] = set()
        if wait_until(partial(_is_ended, store, number, told), Deadline(_SOON_S), every_s=0.05):
            return
    raise HostError(f"the keeper of the workshop {store.name} does not end")


def _is_ended(store: WorkshopStore, number: signal.Signals, told: set[int]) -> bool:
    """Tell whether nobody of the keeper is left; ask those to end who were not asked yet.

    Looked for each time: a child whose parent is killed starts another one.
    """
    # The parent ends its child; one without a parent is asked itself
    pid = holder(store, PARENT) or holder(store, CHILD)
    if pid is not None and pid not in told:
        told.add(pid)
        with suppress(ProcessLookupError):
            os.kill(pid, number)
    if any(_is_keeper(store, one) for one in told):
        return False
    return not (_is_held(store, PARENT) or _is_held(store, CHILD))


def keeper_runs(store: WorkshopStore) -> bool:
    """Tell whether the keeper runs."""
    return holder(store, PARENT) is not None


def keep(store: WorkshopStore, say: Callable[[str], None], words: tuple[str, ...]) -> None:
    """Be the parent: run the child by `words` until the workshop closes.

    Args:
        store: the workshop's folder.
        say: writes a line into the log.
        words: the command of the child.
    """
    try:
        lock = hold_patiently(store, PARENT, _PROBED_S)
    except HeldError:
        return
    with lock:
        child = _Child(words, log_of(store), say)
        keep_trying(
            child.run,
            despite=CommandError,
            every_s=child.pause_s,
            again=lambda _error: not is_over(store),
        )


@contextmanager
def as_child(store: WorkshopStore, parent: int) -> Iterator[Callable[[], bool]]:
    """Be the child of that parent for the time of the block, which is to end when it is told so.

    What is yielded tells whether the work is over: the workshop closes, or the parent was killed;
    then a new parent is started after the block. It is not at an interrupt: somebody asked us.

    Raises:
        HeldError: the child before this one does not end.
        HostError: no new parent starts.
    """

    def is_alone() -> bool:
        return os.getppid() != parent

    # It begins even when the parent is gone by now: who else would start a new one?
    with hold_patiently(store, CHILD, _SOON_S):
        yield lambda: is_alone() or is_over(store)
    if is_alone() and not is_over(store):
        start_keeper(store)


def hold_patiently(store: WorkshopStore, what: str, for_s: float) -> Lock:
    """Hold one of the two locks, and sign it: who only asks whether it is held, holds it a moment.

    Raises:
        HeldError: somebody else still holds it after that time.
    """
    lock = keep_trying(
        lambda: store.hold_now(what),
        Deadline(for_s),
        despite=HeldError,
        every_s=0.05,
        again=lambda _error: True,
    )
    lock.sign(str(os.getpid()))
    return lock


class _Child:
    """The child, started again and again."""

    def __init__(self, words: tuple[str, ...], log: Path, say: Callable[[str], None]) -> None:
        self._words, self._log, self._say = words, log, say
        self._failures = 0
        self._since = Deadline(_WELL_S)

    def run(self) -> None:
        self._since = Deadline(_WELL_S)
        code = run_beside(self._words, log=self._log)
        if code != 0:
            raise CommandError("the keeper's child ended", returncode=code)

    def pause_s(self, error: CommandError) -> float:
        """Say why it ended, and how long to wait: longer each time, and never for good."""
        self._failures = 0 if self._since.is_over else self._failures
        pause_s = _PAUSES_S[min(self._failures, len(_PAUSES_S) - 1)]
        self._failures += 1
        self._say(f"the keeper's child ended ({_why(error)}); again in {pause_s:g} s")
        return pause_s


def is_over(store: WorkshopStore) -> bool:
    """Tell whether the workshop closes or is gone: then the keeper has nothing to do any more.

    A record that cannot be read is not taken for that: somebody may mend it.
    """
    if not store.exists():
        return True
    with suppress(HostError):
        record = store.read()
        return record is None or record.is_closing
    return False


def keeper_words(name: str, *more: str) -> tuple[str, ...]:
    """Return the command of the keeper of that workshop."""
    return (sys.executable, "-m", "sandbox", "workshop", "keep", name, *more)


def log_of(store: WorkshopStore) -> Path:
    """Return the keeper's log; its folder may not be there."""
    return store.folder / "logs" / "keeper.log"


def _is_held(store: WorkshopStore, lock: str) -> bool:
    if not _was_held(store, lock):
        return False
    try:
        store.hold_now(lock).release()
    except HeldError:
        return True
    return False


def holder(store: WorkshopStore, lock: str) -> int | None:
    """Return the process that holds a lock; None when there is none, or it has not signed yet."""
    if not _was_held(store, lock):
        return None
    try:
        store.hold_now(lock).release()
    except HeldError as held:
        if not (held.words.isascii() and held.words.isdecimal()):
            # It has not signed yet
            return None
        pid = int(held.words)
        return pid if _is_keeper(store, pid) else None
    return None


def _was_held(store: WorkshopStore, lock: str) -> bool:
    """Whether there is a file of the lock: to ask about a workshop that is gone makes none."""
    return lock_path(f"workshop.{store.name}.{lock}").exists()


def _is_keeper(store: WorkshopStore, pid: int) -> bool:
    """Whether the process of that id is still there, and is what we think it is."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return store.name.encode() in words and b"keep" in words


def _why(error: CommandError) -> str:
    code = error.returncode or 0
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit status {code}"


def _last_lines(log: Path) -> str:
    with suppress(OSError):
        return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-8:])
    return ""
