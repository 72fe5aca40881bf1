"""The folder that a base image is built in, its lock, and the end of builds that were killed."""

import os
import re
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from sandbox.deadline import Deadline, wait_while
from sandbox.errors import HostError
from sandbox.events import Listener, Notice
from sandbox.files import private_folder
from sandbox.locks import HeldError, hold, hold_now
from sandbox.paths import cache_dir
from sandbox.run import run

MARK = "SANDBOX_BUILD_FOLDER"
"""Set for mmdebstrap and so for all it starts, to find them again when we are gone."""

_GRACE_S = 20.0
_POLL_S = 0.5
_UMOUNT_S = 60.0
_MOUNTS = Path("/proc/self/mountinfo")


@contextmanager
def build_lock(
    folder: Path, subject: str, listener: Listener, *, what: str = "base image"
) -> Iterator[None]:
    """One build of a key at a time; the lock goes with the process that holds it.

    Raises:
        HostError: the folder cannot be written to.
    """
    try:
        private_folder(folder, cache_dir())
        (folder / "lock").touch(mode=0o600)
    except OSError as error:
        raise HostError(f"cannot write to {folder}", details=str(error), hint="df -h") from error

    def say() -> None:
        listener(Notice(subject, f"another command makes this {what}: waiting for it"))

    with hold(folder / "lock", on_wait=say):
        yield


@contextmanager
def build_folder(folder: Path) -> Iterator[Path]:
    """A new folder inside `folder`, whose lock we hold; it and all leftovers are gone at the end.

    Raises:
        HostError: what is left of a killed build does not end, or stays mounted.
    """
    sweep(folder)
    work = Path(tempfile.mkdtemp(prefix="build-", dir=folder))
    try:
        yield work
    finally:
        sweep(folder)


def sweep(folder: Path) -> None:
    """End, unmount and remove what is left of the builds in `folder`, whose lock we hold.

    Raises:
        HostError: something does not end, or stays mounted; then it is not removed.
    """
    for leftover in folder.glob("build-*"):
        _end_orphans(leftover)
        _unmount(leftover)
        shutil.rmtree(leftover, ignore_errors=True)


def _end_orphans(work: Path) -> None:
    """End what a killed build started, before its folder is removed.

    mmdebstrap tells apt by a file in that folder that the root is meant. Were it removed under a
    build that still runs, apt would take the host instead.
    """
    mark = f"{MARK}={work}".encode()
    orphans: list[int] = []
    for number in (signal.SIGTERM, signal.SIGKILL):
        send = partial(_send, number, mark)
        if not (orphans := wait_while(send, Deadline(_GRACE_S), every_s=_POLL_S)):
            return
    raise HostError(
        f"a build that was killed still runs in {work}",
        details="processes " + ", ".join(str(pid) for pid in orphans),
        hint="end them, then try again",
    )


def _send(number: signal.Signals, mark: bytes) -> list[int]:
    """Send the signal to all processes with that mark, and return those."""
    marked = [pid for pid in _processes() if mark in _environ(pid)]
    for pid in marked:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
    return marked


def _unmount(work: Path) -> None:
    """A killed mmdebstrap leaves the host's /proc, /sys and devices mounted in its root.

    Removing the folder with those in it would be removing them.
    """
    for mounted in reversed(
        mounts_below(work, _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape"))
    ):
        # Lazily: nothing of ours is in there any more, and its name has to be free at once
        run(("umount", "--lazy", "--", mounted), timeout_s=_UMOUNT_S, check=False)
    if left := mounts_below(work, _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")):
        raise HostError(
            f"a build that was killed is still mounted in {work}",
            details="\n".join(str(path) for path in left),
            hint=f"umount --recursive {left[0]}",
        )


def mounts_below(folder: Path, mountinfo: str) -> list[Path]:
    """Where something is mounted inside `folder`, in the order it was mounted (see proc(5))."""
    points = (Path(_unescape(line.split(" ")[4])) for line in mountinfo.split("\n") if line)
    return [point for point in points if point.is_relative_to(folder)]


def _unescape(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)


def _processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").glob("[0-9]*")]


def _environ(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        # Ended in the meantime, or somebody else's
        return []


def clear_folder(folder: Path) -> bool:
    """Remove what is in the folder of a build; False when a build is going on in it.

    The lock's file stays: somebody may be waiting at it.
    """
    with no_build_in(folder) as is_ours:
        if not is_ours or not folder.is_dir():
            return False
        empty_folder(folder)
    return True


def empty_folder(folder: Path) -> None:
    """Remove what is in the folder of a build, whose lock we hold, but for the lock."""
    sweep(folder)
    for path in folder.glob("*"):
        if path.name == "lock":
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def no_build_in(folder: Path) -> Iterator[bool]:
    """Hold the lock of builds in `folder`, so that none begins; False when one is going on."""
    if not folder.is_dir():
        yield True
        return
    try:
        lock = hold_now(folder / "lock")
    except HeldError:
        yield False
        return
    with lock:
        yield True


def is_held(folder: Path) -> bool:
    """Whether a build goes on in it."""
    with no_build_in(folder) as is_ours:
        return not is_ours


def stale_folders(needed: frozenset[str]) -> tuple[Path, ...]:
    """Folders of builds that are neither going on nor of an image with one of these keys."""
    stale = []
    for folder in sorted((cache_dir() / "images").glob("*")):
        has_content = any(path.name != "lock" for path in folder.iterdir())
        if has_content and folder.name not in needed and not is_held(folder):
            stale.append(folder)
    return tuple(stale)
