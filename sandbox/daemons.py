"""Processes that do not end with us: daemons, and the one that a keeper has beside it.

All other commands go through `run`.
"""

import os
import subprocess
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from sandbox.run import appended, end_group

_GRACE_S: Final = 5.0


def spawn_daemon(
    argv: Sequence[str | Path],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    keep: Sequence[str] = (),
    cwd: Path | None = None,
) -> int:
    """Start `argv` in a session of its own, with output to `log`; return its process id.

    Args:
        argv: the program and its arguments.
        log: its stdout and stderr are appended to this file.
        env: variables beside those that every daemon gets.
        keep: which of this process's own variables it gets too, as patterns: `XDG_*`.
        cwd: its working folder; this process's own when None.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if any(fnmatchcase(name, pattern) for pattern in keep)
    }
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with appended(log) as sink:
        process = subprocess.Popen(
            [str(word) for word in argv],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            env={**daemon_environment(), **kept, **(env or {})},
            cwd=cwd,
            start_new_session=True,
        )
    # We do not wait for it; without this line, CPython warns when the object is collected
    process.returncode = 0
    return process.pid


def run_beside(argv: Sequence[str | Path], *, log: Path) -> int:
    """Run `argv` to its end, however long that takes, and return its exit status.

    Unlike a command of `run`, it goes on when this process is killed: it must look for itself
    whether its parent is still there. At an interrupt of this process it is ended.

    Args:
        argv: the program and its arguments.
        log: its stdout and stderr are appended to this file.
    """
    with appended(log) as sink:
        process = subprocess.Popen(
            [str(word) for word in argv],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            process_group=0,
        )
    try:
        return process.wait()
    except BaseException:
        end_group(process, _GRACE_S)
        raise


def daemon_environment() -> dict[str, str]:
    """Return the variables for a daemon, which outlives its user and serves others too."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"}
