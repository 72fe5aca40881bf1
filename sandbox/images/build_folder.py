"""The folder in which a base image is built, its lock, and the end of builds that were killed."""

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
"""Set for mmdebstrap and all processes that it starts, to find them again when we are gone."""

_GRACE_S = 20.0
_POLL_S = 0.5
_UMOUNT_S = 60.0
_MOUNTS = Path("/proc/self/mountinfo")


@contextmanager
def build_lock(
    folder: Path, subject: str, listener: Listener, *, what: str = "base image"
) -> Iterator[None]:
    """Allow only one build of a key at a time; the lock ends with the process that holds it.

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
    """Make a new folder inside `folder`, whose lock we hold; all is removed at the end.

    Raises:
        HostError: a leftover of a killed build does not end, or stays mounted.
    """
    sweep(folder)
    work = Path(tempfile.mkdtemp(prefix="build-", dir=folder))
    try:
        yield work
    finally:
        sweep(folder)


def sweep(folder: Path) -> None:
    """End, unmount and remove leftovers of builds in `folder`, while we hold its lock.

    Raises:
        HostError: a process does not end, or something stays mounted; then it is not removed.
    """
    for leftover in folder.glob("build-*"):
        _end_orphans(leftover)
        _unmount(leftover)
        shutil.rmtree(leftover, ignore_errors=True)


def _end_orphans(work: Path) -> None:
    """End the processes of a killed build, before its folder is removed.

    A file in that folder tells apt to work in the root. If we removed that file under a build that
    still runs, apt would change the host instead.
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
    """Send the signal to all processes with that mark, and return them."""
    marked = [pid for pid in _processes() if mark in _environ(pid)]
    for pid in marked:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
    return marked


def _unmount(work: Path) -> None:
    """Unmount the host's /proc, /sys and devices, which a killed mmdebstrap leaves in its root.

    Removing the folder while they are mounted would remove the host's own files.
    """
    for mounted in reversed(
        mounts_below(work, _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape"))
    ):
        # Lazily: none of our processes uses it any more, and its name must be free at once
        run(("umount", "--lazy", "--", mounted), timeout_s=_UMOUNT_S, check=False)
    if left := mounts_below(work, _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")):
        raise HostError(
            f"a build that was killed is still mounted in {work}",
            details="\n".join(str(path) for path in left),
            hint=f"umount --recursive {left[0]}",
        )


def mounts_below(folder: Path, mountinfo: str) -> list[Path]:
    """List the places inside `folder` where something is mounted, in that order (see proc(5))."""
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
        # The process ended in the meantime, or belongs to somebody else
        return []


def clear_folder(folder: Path) -> bool:
    """Remove the content of a build's folder; False when a build is going on in it.

    The lock's file stays: somebody may be waiting for the lock.
    """
    with no_build_in(folder) as is_ours:
        if not is_ours or not folder.is_dir():
            return False
        empty_folder(folder)
    return True


def empty_folder(folder: Path) -> None:
    """Remove the content of a build's folder, except the lock's file; we hold the lock."""
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
    """Hold the lock of builds in `folder`, so that none begins; False when a build is going on."""
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
    """Tell whether a build is going on in the folder."""
    with no_build_in(folder) as is_ours:
        return not is_ours


def stale_folders(needed: frozenset[str]) -> tuple[Path, ...]:
    """List folders of builds that have ended and belong to no image with one of these keys."""
    stale = []
    for folder in sorted((cache_dir() / "images").glob("*")):
        has_content = any(path.name != "lock" for path in folder.iterdir())
        if has_content and folder.name not in needed and not is_held(folder):
            stale.append(folder)
    return tuple(stale)
