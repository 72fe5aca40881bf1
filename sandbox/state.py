"""The instance's folder: saved plan, progress, results, and a lock that ends with its process.

`$XDG_STATE_HOME/sandbox/instances/NAME/` holds `record.json` (the plan and how far it got),
`ssh_config`, `known_hosts`, the login key, `facts.json`, `checks.json` and `logs/`. A record is
written whole or not at all.
"""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.errors import BusyError, UsageError
from sandbox.files import private_folder, write_whole
from sandbox.interrupts import heard
from sandbox.locks import HeldError, hold_now, lock_path
from sandbox.paths import instances_dir, state_dir
from sandbox.saved import BrokenFileError, read_json, read_saved
from sandbox.summary import Summary

if TYPE_CHECKING:
    # A listing of sandboxes needs no models: see sandbox.summary
    from sandbox.record import Record


class Instance:
    """The folder of one sandbox. Reading needs no lock; writing does."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.folder = instances_dir() / name

    @property
    def logs(self) -> Path:
        """Where the full output of every tool is kept."""
        return self.folder / "logs"

    def exists(self) -> bool:
        """Tell whether anything of the instance is on disk."""
        return self.folder.is_dir()

    def read(self) -> "Record | None":
        """Read the instance's record; None when there is none yet.

        Raises:
            BrokenFileError: it is damaged or of another version; the hint says how to go on.
        """
        from sandbox.record import Record

        return read_saved(
            self.folder / "record.json",
            Record,
            message=f"the saved plan of {self.name} cannot be read",
            hint=f"sandbox destroy {self.name}, then sandbox up again",
        )

    def summary(self) -> Summary | None:
        """Read what a listing shows of the instance; None when there is no record yet.

        Raises:
            BrokenFileError: it is damaged or of another version; the hint says how to go on.
        """
        try:
            saved = read_json(self.folder / "record.json")
            return None if saved is None else Summary.from_saved(saved["summary"])
        except (BrokenFileError, KeyError, TypeError, ValueError):
            # Damaged, or written before records had a summary
            record = self.read()
            return record.summary if record is not None else None

    def require(self) -> "Record":
        """Read the record of a sandbox that must be there.

        Raises:
            UsageError: there is no such sandbox.
            BrokenFileError: its record is damaged.
        """
        record = self.read()
        if record is None:
            raise UsageError(
                f"there is no sandbox named `{self.name}`",
                details=_known_names(self.name),
                hint="sandbox list shows them; sandbox up BOX makes one",
            )
        return record

    def write(self, record: "Record") -> None:
        """Save the record; a reader sees the old one or the new one, never a part."""
        self.write_text("record.json", record.model_dump_json(indent=1))

    def write_text(self, name: str, text: str) -> None:
        """Write a file of the folder, whole or not at all, readable by its owner alone."""
        write_whole(private_folder(self.folder, state_dir()) / name, text)

    def remove(self) -> None:
        """Remove the folder and everything in it."""
        with suppress(FileNotFoundError):
            shutil.rmtree(self.folder)


def instance_names() -> list[str]:
    """List the names of all instances with a folder, sorted."""
    folder = instances_dir()
    if not folder.is_dir():
        return []
    # A name that is not UTF-8 is not ours, and nothing could print it
    return sorted(
        entry.name for entry in folder.iterdir() if entry.is_dir() and _is_text(entry.name)
    )


def _is_text(name: str) -> bool:
    return name.isprintable()


@contextmanager
def locked(name: str) -> Iterator[Instance]:
    """Hold the instance for writing. The kernel keeps the lock: it ends with this process.

    Raises:
        BusyError: another command is at work on it; the error names its process id and start.
    """
    try:
        lock = hold_now(lock_path(name), of=Instance(name).folder)
    except HeldError as error:
        raise _busy(name, error.words) from None
    instance = Instance(name)
    try:
        since = datetime.now(UTC).isoformat(timespec="seconds")
        command = " ".join(sys.argv[1:2]) or "sandbox"
        lock.sign(json.dumps({"pid": os.getpid(), "command": command, "since": since}))
        yield instance
    except BaseException:
        # Whatever error a library has made of it
        if (stopped := heard()) is not None:
            stopped.at_work_on = name
        raise
    finally:
        lock.release()


def _busy(name: str, holder: str) -> BusyError:
    details = ""
    with suppress(ValueError, KeyError, TypeError, RecursionError):
        told = json.loads(holder)
        details = f"`sandbox {told['command']}`, process {told['pid']}, since {told['since']}"
    return BusyError(
        f"another sandbox command is at work on {name}",
        details=details,
        hint="wait for it to end, or stop it with Ctrl-C in its terminal, and try again",
    )


def _known_names(wanted: str) -> str:
    import difflib

    names = instance_names()
    near = difflib.get_close_matches(wanted, names, n=3)
    if near:
        return f"perhaps you meant {' or '.join(f'`{name}`' for name in near)}"
    return f"there are: {', '.join(names)}" if names else "there are none yet"
