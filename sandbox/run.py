"""The one door to other programs: argv lists, a timeout, a log, and no orphan left behind.

Each command runs in a process group of its own. On a timeout or an interrupt the whole group is
asked to stop (SIGINT, then SIGTERM) and then killed, also when its leader has already gone.

Who gives a command something that must not be seen says so by `concealing`: then no log, error or
listener gets to see it, whatever the command says.
"""

import codecs
import ctypes
import os
import selectors
import shlex
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sandbox.errors import CommandError
from sandbox.interrupts import in_a_hurry

TAIL_LINES = 40
"""How many of the last lines an error shows; the log has them all."""

LARGEST_BYTES = 64 * 1024 * 1024
"""Of what one command may say: the largest answers that are read (dpkg's, Incus's) have 10 MB."""

_GRACE_S = 5.0
_LONGEST_LINE = 100_000

Hide = Callable[[str], str]
_HIDE: ContextVar[Hide | None] = ContextVar("hide", default=None)


@contextmanager
def concealing(hide: Hide) -> Iterator[None]:
    """Within it, whatever a command says passes `hide` before anybody gets it."""
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
class User:
    """Another user of this host, to run a command as; only root may."""

    uid: int
    gid: int


def run(
    argv: Sequence[str | Path],
    *,
    timeout_s: float,
    stdin: str | bytes | None = None,
    env: Mapping[str, str] | None = None,
    only_env: bool = False,
    user: User | None = None,
    cwd: Path | None = None,
    log: Path | None = None,
    on_line: Callable[[str], None] | None = None,
    check: bool = True,
    grace_s: float = _GRACE_S,
) -> Completed:
    """Run `argv` and return what it said.

    Args:
        argv: the program and its arguments; never a shell line.
        timeout_s: after so many seconds the process group is ended and CommandError raised.
        stdin: what to feed it; nothing (an empty stream) when None.
        env: variables set on top of this process's own.
        only_env: give it `env` and nothing of this process's own.
        user: run it as this user, in its one group.
        cwd: its working folder.
        log: a file to which the command line and every output line are appended as they come.
        on_line: called with each line, of stdout and stderr alike, as it comes.
        check: raise CommandError when the exit status is not 0.
        grace_s: how long it may clean up after SIGINT, at a timeout or an interrupt.

    What a command says is kept up to a limit. Of one with a `log`, which has it all, and of stderr
    the newest part is kept; of an answer that somebody reads half would be wrong, so the command is
    ended.

    Raises:
        CommandError: not found, timed out, said too much, or (with `check`) failed; `details` has
            the last lines.
    """
    words = tuple(str(word) for word in argv)
    data = stdin.encode() if isinstance(stdin, str) else stdin
    started = time.monotonic()
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _appended(log) as log_file:
        log_file.write(f"$ {shlex.join(words)}\n".encode())
        log_file.flush()
        variables = {**({} if only_env else os.environ), **(env or {})}
        process = _spawn(words, data, variables, cwd, user)
        streams = _Streams(log_file, on_line, is_logged=log is not None)
        try:
            finished = streams.pump(process, data, started + timeout_s)
        except BaseException:
            _end_group(process, grace_s)
            raise
        finally:
            _close_pipes(process)
        if streams.overflowed:
            _end_group(process, grace_s)
            raise CommandError(
                f"`{_short(words)}` said more than {LARGEST_BYTES // 1024**2} MB",
                returncode=None,
                details=streams.tail(),
            )
        if not finished:
            _end_group(process, grace_s)
            raise CommandError(
                f"`{_short(words)}` did not end within {timeout_s:g} s",
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
    # The child shares our terminal and process group: Ctrl-C reaches it and is its business
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


def spawn_daemon(argv: Sequence[str | Path], *, log: Path) -> int:
    """Start `argv` in a session of its own, output to `log`, and return its process id."""
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _appended(log) as sink:
        process = subprocess.Popen(
            [str(word) for word in argv],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            env=daemon_environment(),
            start_new_session=True,
        )
    # Not ours to wait for; without this, CPython warns when the object is collected
    process.returncode = 0
    return process.pid


def daemon_environment() -> dict[str, str]:
    """The variables of a daemon, which outlives the one who starts it, and serves others too."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"}


def _appended(log: Path | None) -> IO[bytes]:
    """A log is for its owner alone: tools say more than their user may want to hand on."""
    if log is None:
        return open(os.devnull, "ab")  # noqa: PTH123
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    return open(descriptor, "ab")  # noqa: PTH123


def _spawn(
    words: tuple[str, ...],
    data: bytes | None,
    env: Mapping[str, str],
    cwd: Path | None,
    user: User | None,
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            words,
            stdin=subprocess.PIPE if data is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env,
            cwd=cwd,
            user=user.uid if user is not None else None,
            group=user.gid if user is not None else None,
            extra_groups=() if user is not None else None,
            process_group=0,
            preexec_fn=_die_with_parent,  # noqa: PLW1509  (calls prctl only)
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


def _die_with_parent() -> None:
    """Runs in the child: when we are killed with -9, the command must not go on unattended."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _short(words: tuple[str, ...]) -> str:
    line = shlex.join(words)
    return line if len(line) <= 120 else f"{line[:117]}..."  # noqa: PLR2004


class _Streams:
    """Collects stdout and stderr, and passes whole lines on as they come."""

    def __init__(
        self, log: IO[bytes], on_line: Callable[[str], None] | None, *, is_logged: bool
    ) -> None:
        self._log = log
        self._on_line = on_line
        self._is_logged = is_logged
        self.overflowed = False
        """More came than is kept of an answer."""
        self._chunks: dict[str, deque[bytes]] = {"stdout": deque(), "stderr": deque()}
        self._sizes = {"stdout": 0, "stderr": 0}
        self._hide = _HIDE.get()
        self._partial = {"stdout": "", "stderr": ""}
        decoder = codecs.getincrementaldecoder("utf-8")
        self._decoders = {name: decoder("replace") for name in self._chunks}
        self._last: deque[str] = deque(maxlen=TAIL_LINES)

    def text(self, name: str) -> str:
        text = b"".join(self._chunks[name]).decode("utf-8", "replace")
        return self._hide(text) if self._hide is not None else text

    def tail(self) -> str:
        return "\n".join(self._last)

    def pump(self, process: subprocess.Popen[bytes], data: bytes | None, deadline: float) -> bool:
        """Move bytes until the process has ended and its pipes closed; False at the deadline."""
        assert process.stdout is not None  # noqa: S101  (for mypy: all three were asked for)
        assert process.stderr is not None  # noqa: S101
        rest = memoryview(data or b"")
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ, "stdout")
            selector.register(process.stderr, selectors.EVENT_READ, "stderr")
            if process.stdin is not None:
                os.set_blocking(process.stdin.fileno(), False)
                selector.register(process.stdin, selectors.EVENT_WRITE, "stdin")
            while selector.get_map():
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    return False
                for key, _ in selector.select(min(left_s, 1.0)):
                    if key.data == "stdin":
                        rest = _feed(process, rest, selector)
                    elif chunk := os.read(key.fd, 65536):
                        self._take(key.data, chunk)
                    else:
                        selector.unregister(key.fileobj)
                        self._finish(key.data)
                if self.overflowed:
                    return False
                # A daemon left behind may hold the pipes open: the command's own end counts
                is_left_open = bool(selector.get_map()) and process.poll() is not None
                if is_left_open and not selector.select(0.1):
                    break
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, deadline - time.monotonic()))
        return process.returncode is not None

    def _take(self, name: str, chunk: bytes) -> None:
        self._keep(name, chunk)
        if self._hide is None:
            self._log.write(chunk)
            self._log.flush()
        text = self._partial[name] + self._decoders[name].decode(chunk)
        *lines, self._partial[name] = text.replace("\r\n", "\n").split("\n")
        for line in lines:
            self._line(line)
        if len(self._partial[name]) > _LONGEST_LINE:
            # Not a line of anybody's; to go on collecting it would take ever longer
            self._finish(name)

    def _keep(self, name: str, chunk: bytes) -> None:
        kept = self._chunks[name]
        kept.append(chunk)
        self._sizes[name] += len(chunk)
        while self._sizes[name] > LARGEST_BYTES and len(kept) > 1:
            self._sizes[name] -= len(kept.popleft())
            self.overflowed = self.overflowed or (name == "stdout" and not self._is_logged)

    def _finish(self, name: str) -> None:
        if self._partial[name]:
            self._line(self._partial[name])
            self._partial[name] = ""

    def _line(self, line: str) -> None:
        if self._hide is not None:
            # A value may come in two chunks: only of a whole line can be said that it is not in it
            line = self._hide(line)
            self._log.write(f"{line}\n".encode())
            self._log.flush()
        # A progress bar rewrites its line with \r: only what it ends as is of use
        line = line.rsplit("\r", 1)[-1].rstrip()
        self._last.append(line)
        if self._on_line is not None:
            self._on_line(line)


def _feed(
    process: subprocess.Popen[bytes], rest: memoryview, selector: selectors.BaseSelector
) -> memoryview:
    assert process.stdin is not None  # noqa: S101
    try:
        rest = rest[os.write(process.stdin.fileno(), rest[:65536]) :] if rest else rest
    except BrokenPipeError:
        rest = rest[:0]
    if not rest:
        selector.unregister(process.stdin)
        process.stdin.close()
    return rest


def _end_group(process: subprocess.Popen[bytes], grace_s: float) -> None:
    """Ask the group to stop, then make it: background jobs of a shell ignore SIGINT."""
    for number, wait_s in ((signal.SIGINT, grace_s), (signal.SIGTERM, _GRACE_S)):
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
    deadline = time.monotonic() + grace_s
    while time.monotonic() < deadline and not in_a_hurry():
        process.poll()
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False
