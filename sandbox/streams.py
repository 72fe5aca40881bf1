"""The output of a running command: kept up to a limit, logged, and handed on line by line."""

import codecs
import os
import selectors
from collections import deque
from collections.abc import Callable
from typing import IO, Protocol

from sandbox.deadline import Deadline

TAIL_LINES = 40
"""How many of the last lines an error shows; the log has them all."""

_LONGEST_LINE = 100_000

Hide = Callable[[str], str]


class Process(Protocol):
    """What we need of a process that was started with pipes."""

    stdin: IO[bytes] | None
    stdout: IO[bytes] | None
    stderr: IO[bytes] | None

    def poll(self) -> int | None:
        """Return the command's exit status, once it has ended."""


class Streams:
    """Collects stdout and stderr, and passes whole lines on as they come."""

    def __init__(
        self,
        log: IO[bytes],
        on_line: Callable[[str], None] | None,
        hide: Hide | None,
        *,
        most_bytes: int,
        is_logged: bool,
    ) -> None:
        self._log = log
        self._on_line = on_line
        self._most_bytes = most_bytes
        self._is_logged = is_logged
        self.overflowed = False
        """More output came than is kept of an answer."""
        self._chunks: dict[str, deque[bytes]] = {"stdout": deque(), "stderr": deque()}
        self._sizes = {"stdout": 0, "stderr": 0}
        self._hide = hide
        self._partial = {"stdout": "", "stderr": ""}
        decoder = codecs.getincrementaldecoder("utf-8")
        self._decoders = {name: decoder("replace") for name in self._chunks}
        self._last: deque[str] = deque(maxlen=TAIL_LINES)

    def text(self, name: str) -> str:
        """Return the kept part of `stdout` or `stderr`."""
        text = b"".join(self._chunks[name]).decode("utf-8", "replace")
        return self._hide(text) if self._hide is not None else text

    def tail(self) -> str:
        """Return the last lines of both streams, in the order they came."""
        return "\n".join(self._last)

    def pump(self, process: Process, data: bytes | None, deadline: Deadline) -> bool:
        """Read until the pipes are closed or the process has ended; False at the deadline."""
        assert process.stderr is not None  # noqa: S101  (for mypy: it was asked for)
        rest = memoryview(data or b"")
        with selectors.DefaultSelector() as selector:
            if process.stdout is not None:
                selector.register(process.stdout, selectors.EVENT_READ, "stdout")
            selector.register(process.stderr, selectors.EVENT_READ, "stderr")
            if process.stdin is not None:
                os.set_blocking(process.stdin.fileno(), False)
                selector.register(process.stdin, selectors.EVENT_WRITE, "stdin")
            while selector.get_map():
                left_s = deadline.left_s
                if left_s == 0:
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
        return True

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
            # Too long for a line of text; to go on collecting it would take ever longer
            self._finish(name)

    def _keep(self, name: str, chunk: bytes) -> None:
        kept = self._chunks[name]
        kept.append(chunk)
        self._sizes[name] += len(chunk)
        while self._sizes[name] > self._most_bytes and len(kept) > 1:
            self._sizes[name] -= len(kept.popleft())
            self.overflowed = self.overflowed or (name == "stdout" and not self._is_logged)

    def _finish(self, name: str) -> None:
        if self._partial[name]:
            self._line(self._partial[name])
            self._partial[name] = ""

    def _line(self, line: str) -> None:
        if self._hide is not None:
            # A secret may come in two chunks: only a whole line can be searched for it
            line = self._hide(line)
            self._log.write(f"{line}\n".encode())
            self._log.flush()
        # A progress bar rewrites its line with \r: only the last version is of use
        line = line.rsplit("\r", 1)[-1].rstrip()
        self._last.append(line)
        if self._on_line is not None:
            self._on_line(line)


def _feed(process: Process, rest: memoryview, selector: selectors.BaseSelector) -> memoryview:
    assert process.stdin is not None  # noqa: S101
    try:
        rest = rest[os.write(process.stdin.fileno(), rest[:65536]) :] if rest else rest
    except BrokenPipeError:
        rest = rest[:0]
    if not rest:
        selector.unregister(process.stdin)
        process.stdin.close()
    return rest
