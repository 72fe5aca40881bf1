"""Locks among our commands: who waits, who is refused, and who never lets go."""

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox import locks
from sandbox.interrupts import Interrupted
from sandbox.locks import HeldError, Lock, hold, hold_now, lock_path

_LONG_S = 10.0


class Waiter:
    """Another one who wants the lock, in a thread of his own."""

    def __init__(self, path: Path) -> None:
        self.waits = threading.Event()
        self.has_it = threading.Event()
        self.may_go = threading.Event()
        self.thread = threading.Thread(target=self._run, args=(path,), daemon=True)
        self.thread.start()

    def _run(self, path: Path) -> None:
        with hold(path, on_wait=self.waits.set):
            self.has_it.set()
            self.may_go.wait(_LONG_S)

    def end(self) -> None:
        self.may_go.set()
        self.thread.join(_LONG_S)
        assert not self.thread.is_alive()


def is_free(path: Path) -> bool:
    try:
        hold_now(path).release()
    except HeldError:
        return False
    return True


@pytest.mark.parametrize("name", ["lock", ""])
def test_only_one_has_it(tmp_path: Path, name: str) -> None:
    """A file that is made for it, and a folder."""
    path = tmp_path / name
    with hold(path):
        assert not is_free(path)
        waiter = Waiter(path)
        assert waiter.waits.wait(_LONG_S)
        assert not waiter.has_it.wait(0.1)
    assert waiter.has_it.wait(_LONG_S)
    assert not is_free(path)
    waiter.end()
    assert is_free(path)


def test_two_at_once_wait_for_each_other(tmp_path: Path) -> None:
    path, inside, most = tmp_path / "lock", [0], []

    def work() -> None:
        for _ in range(50):
            with hold(path):
                inside[0] += 1
                most.append(inside[0])
                time.sleep(0)
                inside[0] -= 1

    threads = [threading.Thread(target=work, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_LONG_S)
    assert most == [1] * 100


def test_who_need_not_wait_is_not_told_so(tmp_path: Path) -> None:
    told: list[None] = []
    with hold(tmp_path / "lock", on_wait=lambda: told.append(None)):
        assert told == []


def test_who_is_refused_reads_who_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.write_text("somebody who has long gone, and had much to say")
    with hold_now(path) as lock:
        lock.sign("me, since noon")
        with pytest.raises(HeldError) as caught:
            hold_now(path)
    assert caught.value.words == "me, since noon"


def test_a_lock_of_what_is_not_there_leaves_no_file(tmp_path: Path) -> None:
    path, folder = tmp_path / "lock", tmp_path / "class"
    for take in (hold, hold_now):
        take(path, of=folder).release()
        assert not path.exists()
    folder.mkdir()
    hold(path, of=folder).release()
    assert path.exists()
    with hold(path, of=folder):
        folder.rmdir()
        # Who is refused takes no file away
        assert not is_free(path)
        with pytest.raises(HeldError):
            hold_now(path, of=folder)
        assert path.exists()
    assert not path.exists()


def test_it_takes_no_file_that_is_anothers_by_now(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    old = hold(path, of=tmp_path / "gone")
    path.unlink()
    with hold(path):
        old.release()
        assert not is_free(path)


def test_who_is_interrupted_while_waiting_leaves_it_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "lock"

    def stop(number: int, _frame: object) -> None:
        raise Interrupted(number)

    before = signal.signal(signal.SIGALRM, stop)
    opened: list[int] = []
    monkeypatch.setattr(Lock, "release", _noting(Lock.release, opened))
    try:
        with hold(path):
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            with pytest.raises(Interrupted):
                hold(path)
            # The one that waited is closed, and ours is still held
            assert len(opened) == 1
            assert not is_free(path)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert is_free(path)


def _noting(release: Callable[[Lock], None], noted: list[int]) -> Callable[[Lock], None]:
    def noting(lock: Lock) -> None:
        noted.append(1)
        release(lock)

    return noting


def test_a_lock_on_a_file_that_was_removed_is_none(tmp_path: Path) -> None:
    """`destroy` removes the file while it holds it, and somebody waits for that one."""
    path = tmp_path / "lock"
    with hold(path) as lock:
        waiter = Waiter(path)
        assert waiter.waits.wait(_LONG_S)
        time.sleep(0.05)
        lock.remove_file()
    assert waiter.has_it.wait(_LONG_S)
    # What he has is the lock of the file that is there now
    assert path.exists()
    assert not is_free(path)
    waiter.end()


def test_what_cannot_be_made_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        hold(tmp_path / "no such folder" / "lock")


def test_the_locks_of_the_state_folder_are_its_owners_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    old = os.umask(0)
    try:
        path = lock_path("shiny")
        with hold(path):
            assert path == tmp_path / "sandbox" / "locks" / "shiny.lock"
            assert path.stat().st_mode & 0o777 == 0o600
            assert path.parent.stat().st_mode & 0o777 == 0o700
    finally:
        os.umask(old)


def test_nobody_else_takes_a_lock() -> None:
    """Or it would wait, sign and die in its own way."""
    package = Path(locks.__file__).parent
    homes = {path.name for path in package.rglob("*.py") if "flock(" in path.read_text("utf-8")}
    assert homes == {"locks.py"}
