"""The one way to run other programs: argv lists, a timeout, a log, and no process left behind.

Each command runs in a process group of its own. On a timeout or an interrupt the whole group is
asked to stop (SIGINT, then SIGTERM) and then killed, even when its leader has already gone.

A caller that gives a command a secret wraps the call in `concealing`: then no log, error or
listener gets to see the secret, even when the command prints it.
"""

import ctypes
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from sandbox.deadline import Deadline, wait_until
from sandbox.errors import CommandError
from sandbox.giving_up import WatchedDeadline
from sandbox.interrupts import in_a_hurry
from sandbox.streams import TAIL_LINES, Hide, Streams

__all__ = ["TAIL_LINES", "Hide"]

LARGEST_BYTES = 64 * 1024 * 1024
"""The most output of one command: the largest answers (of dpkg or Incus) have 10 MB."""

_GRACE_S = 5.0
_HOPELESS_S = 0.5
_LAST_BYTES = 16 * 1024

_HIDE: ContextVar[Hide | None] = ContextVar("hide", default=None)


@contextmanager
def concealing(hide: Hide) -> Iterator[None]:
    """Pass all output of commands inside the block through `hide` before anybody gets it."""
    before = _HIDE.set(hide)
    try:
        yield
    finally:
        _HIDE.reset(before)


@dataclass(frozen=True)
class Completed:
    """A command that ran to its end."""

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str
    elapsed_s: float


@dataclass(frozen=True)
class HostUser:
    """Another user of this host, to run a command as; only root may do that."""

    uid: int
    gid: int


def run(
    argv: Sequence[str | Path],
    *,
    timeout_s: float,
    stdin: str | bytes | Path | None = None,
    env: Mapping[str, str] | None = None,
    only_env: bool = False,
    user: HostUser | None = None,
    cwd: Path | None = None,
    log: Path | None = None,
    on_line: Callable[[str], None] | None = None,
    output: Path | None = None,
    check: bool = True,
    grace_s: float = _GRACE_S,
) -> Completed:
    """Run `argv` and return its output.

    Args:
        argv: the program and its arguments; never a shell line.
        timeout_s: after so many seconds the process group is ended and CommandError raised.
        stdin: the input, or the path of a file with it; nothing (an empty stream) when None.
        env: variables set on top of this process's own.
        only_env: give it `env` and nothing of this process's own.
        user: run it as this user, in its one group.
        cwd: its working folder.
        log: a file to which the command line and every output line are appended as they come.
        on_line: called with each line, of stdout and stderr alike, as it comes.
        output: a file that gets all of stdout, byte by byte, in place of the answer; what it had
            is gone, and only its owner may read it. `log`, `on_line` and `concealing` see stderr
            alone then.
        check: raise CommandError when the exit status is not 0.
        grace_s: how long it may clean up after SIGINT, at a timeout or an interrupt.

    Output is kept up to a limit. With a `log` (which has all of it), and of stderr, the newest part
    is kept. An answer that somebody reads must be whole, so a command with a longer answer is
    ended.

    Raises:
        CommandError: not found, timed out, said too much, or (with `check`) failed; `details` has
            the last lines.
    """
    words = tuple(str(word) for word in argv)
    file = stdin if isinstance(stdin, Path) else None
    data = stdin.encode() if isinstance(stdin, str) else None if isinstance(stdin, Path) else stdin
    started, deadline = time.monotonic(), WatchedDeadline(timeout_s)
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with appended(log) as log_file, _opened(file) as source, _written(output) as sink:
        log_file.write(f"$ {shlex.join(words)}\n".encode("utf-8", "surrogateescape"))
        log_file.flush()
        variables = {**({} if only_env else os.environ), **(env or {})}
        ends = (source if data is None else subprocess.PIPE, sink)
        process = _spawn(words, ends, variables, cwd, user)
        streams = Streams(
            log_file, on_line, _HIDE.get(), most_bytes=LARGEST_BYTES, is_logged=log is not None
        )
        try:
            finished = streams.pump(process, data, deadline)
            finished = finished and _has_ended(process, deadline)
        except BaseException:
            end_group(process, grace_s)
            raise
        finally:
            _close_pipes(process)
        if streams.overflowed:
            end_group(process, grace_s)
            raise CommandError(
                f"`{_short(words)}` said more than {LARGEST_BYTES // 1024**2} MB",
                returncode=None,
                details=streams.tail(),
            )
        if not finished:
            if deadline.gave_up:
                end_group(process, _HOPELESS_S, _HOPELESS_S)
            else:
                end_group(process, grace_s)
            why = "was given up" if deadline.gave_up else f"did not end within {timeout_s:g} s"
            raise CommandError(
                f"`{_short(words)}` {why}",
                returncode=None,
                stdout=streams.text("stdout"),
                stderr=streams.text("stderr"),
                details=streams.tail(),
            )
    done = Completed(
        words,
        process.returncode,
        streams.text("stdout"),
        streams.text("stderr"),
        time.monotonic() - started,
    )
    if check and done.returncode != 0:
        raise CommandError(
            f"`{_short(words)}` failed with exit status {done.returncode}",
            returncode=done.returncode,
            stdout=done.stdout,
            stderr=done.stderr,
            details=streams.tail(),
        )
    return done


def interactive(argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None) -> int:
    """Hand the terminal to `argv` (ssh, a pager) and return its exit status."""
    # The child shares our terminal and process group: Ctrl-C reaches the child, which handles it
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return subprocess.call(
            [str(word) for word in argv],
            env={**os.environ, **(env or {})},
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
    except FileNotFoundError as error:
        raise CommandError(f"`{argv[0]}` is not installed", returncode=127) from error
    finally:
        signal.signal(signal.SIGINT, previous)


@dataclass(frozen=True)
class Attached:
    """A command at the other end of a socket."""

    socket: socket.socket
    process: subprocess.Popen[bytes]
    errors: IO[bytes]

    def status(self, wait_s: float) -> int | None:
        """Wait for the command's exit status; None if it does not end within so many seconds."""
        _has_ended(self.process, Deadline(wait_s))
        return self.process.returncode

    def words(self) -> str:
        """Return the last lines of the command's stderr."""
        size = self.errors.seek(0, os.SEEK_END)
        self.errors.seek(max(0, size - _LAST_BYTES))
        lines = self.errors.read().decode("utf-8", "replace").splitlines()
        return "\n".join(line.rstrip() for line in lines[-TAIL_LINES:])


@contextmanager
def attached(argv: Sequence[str | Path]) -> Iterator[Attached]:
    """Run `argv` with a socket as its input and output, for as long as the block does.

    Raises:
        CommandError: not found.
    """
    ours, theirs = socket.socketpair()
    # A file, not a pipe: nobody reads while the command works, and a full pipe would stop it
    with ours, tempfile.TemporaryFile() as errors:
        with theirs:
            words, end = tuple(str(word) for word in argv), theirs.fileno()
            process = _start(words, None, stdin=end, stdout=end, stderr=errors.fileno())
        try:
            yield Attached(ours, process, errors)
        finally:
            end_group(process, 0.5)


def appended(log: Path | None) -> IO[bytes]:
    """Make a log for its owner alone: tools print more than the user may want to hand on."""
    if log is None:
        return open(os.devnull, "ab")  # noqa: PTH123
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    return open(descriptor, "ab")  # noqa: PTH123


@contextmanager
def _opened(file: Path | None) -> Iterator[int]:
    """The descriptor of a file for a command's input; of nothing without a file."""
    if file is None:
        yield subprocess.DEVNULL
        return
    with file.open("rb") as stream:
        yield stream.fileno()


@contextmanager
def _written(file: Path | None) -> Iterator[int]:
    """The descriptor of a new private file for a command's output; of a pipe without a file."""
    if file is None:
        yield subprocess.PIPE
        return
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    with open(os.open(file, flags, 0o600), "wb") as stream:  # noqa: PTH123
        os.fchmod(stream.fileno(), 0o600)
        yield stream.fileno()


def _spawn(
    words: tuple[str, ...],
    ends: tuple[int, int],
    env: Mapping[str, str],
    cwd: Path | None,
    user: HostUser | None,
) -> subprocess.Popen[bytes]:
    stdin, stdout = ends
    pipe = subprocess.PIPE
    return _start(words, env, stdin=stdin, stdout=stdout, stderr=pipe, cwd=cwd, user=user)


def _start(
    words: tuple[str, ...],
    env: Mapping[str, str] | None,
    *,
    stdin: int,
    stdout: int,
    stderr: int,
    cwd: Path | None = None,
    user: HostUser | None = None,
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            words,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=env,
            cwd=cwd,
            user=user.uid if user is not None else None,
            group=user.gid if user is not None else None,
            extra_groups=() if user is not None else None,
            process_group=0,
            preexec_fn=partial(_die_with_parent, os.getpid()),  # noqa: PLW1509  (no locks in it)
        )
    except FileNotFoundError as error:
        missing = f"the folder {cwd}" if cwd is not None and not cwd.is_dir() else f"`{words[0]}`"
        raise CommandError(f"{missing} is not there", returncode=127) from error
    except PermissionError as error:
        raise CommandError(f"`{words[0]}` may not be run: {error}", returncode=126) from error


def _load_libc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


_LIBC = _load_libc()
_PR_SET_PDEATHSIG = 1


def _die_with_parent(parent_pid: int) -> None:
    """Runs in the child: when we are killed with -9, the command must not go on by itself."""
    # Our own handler, or our ignoring it, would swallow the signal until the command has begun
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent_pid:
            # Killed before the line above: nobody sends the signal any more
            os._exit(128 + signal.SIGTERM)


def _short(words: tuple[str, ...]) -> str:
    line = shlex.join(words)
    return line if len(line) <= 120 else f"{line[:117]}..."  # noqa: PLR2004


def _has_ended(process: subprocess.Popen[bytes], deadline: Deadline) -> bool:
    with suppress(subprocess.TimeoutExpired):
        process.wait(deadline.left_s)
    return process.returncode is not None


def end_group(process: subprocess.Popen[bytes], grace_s: float, term_s: float = _GRACE_S) -> None:
    """Ask the group to stop, then kill it: background jobs of a shell ignore SIGINT."""
    for number, wait_s in ((signal.SIGINT, grace_s), (signal.SIGTERM, term_s)):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        if _group_gone(process, wait_s):
            break
    else:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _close_pipes(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()


def _group_gone(process: subprocess.Popen[bytes], grace_s: float) -> bool:
    def is_gone() -> bool:
        process.poll()
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return True
        return False

    wait_until(lambda: in_a_hurry() or is_gone(), Deadline(grace_s), every_s=0.05)
    return is_gone()
