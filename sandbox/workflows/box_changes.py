"""Find out whether a sandbox's box files or apps have changed since `up`.

`up` notes the files that it has read, in `box.json` of the instance's folder; a listing compares.
That is cheap and needs no YAML: sizes and times first, contents only where those differ. So a box
may count as changed although its machine would be the same: then the next `up` has nothing to do,
and notes the files again.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sandbox.app_files import TooMuchError, UnreadableError, app_files
from sandbox.fingerprint import digest_of, stamp_of
from sandbox.saved import BrokenFileError, read_json, read_text, text_of
from sandbox.state import Instance

if TYPE_CHECKING:
    from sandbox.placement import Placement
    from sandbox.plan import Plan

_NOTED: Final = "box.json"
_TICK_NS: Final = 2_000_000_000
_MOST_BYTES: Final = 20 * 1024 * 1024
"""The most bytes of an app that are read to see whether a new time means a real change."""


@contextmanager
def noting(placement: "Placement", instance: Instance) -> Iterator[None]:
    """Note the files of the plan, as they are before the block, once the record has that plan.

    Somebody may edit files while a machine is made: these edits then count as new.
    """
    seen = json.dumps(_seen(placement.plan), indent=1)
    try:
        yield
    finally:
        # A failure to note the files must not stop anything
        with suppress(BrokenFileError, OSError):
            _note(placement, instance, seen)


def _note(placement: "Placement", instance: Instance, seen: str) -> None:
    record = instance.read()
    if record is None:
        return
    if record.placement.key != placement.as_made(record.placement).key:
        return
    if read_text(instance.folder / _NOTED) != seen:
        instance.write_text(_NOTED, seen)


@dataclass
class BoxChanges:
    """Looks at boxes and apps; for thirty sandboxes of one box it looks once."""

    _known: dict[str, bool] = field(default_factory=dict)

    def changed(self, folder: Path) -> tuple[str, ...]:
        """Name the changes since the `up` of the instance with this folder.

        Also empty where nothing was noted, and where the box file itself is gone: then `up` goes on
        with the saved plan.
        """
        try:
            noted = read_json(folder / _NOTED)
            if noted is None or not Path(text_of(noted["box"])).exists():
                return ()
            files = [text_of(one["path"]) for one in noted["files"] if self._differs(_file, one)]
            apps = [text_of(one["name"]) for one in noted["apps"] if self._differs(_app, one)]
        except (BrokenFileError, KeyError, TypeError, ValueError, OSError):
            # Written by another version, or damaged: the next `up` writes it again
            return ()
        return (*files, *(f"the app {name}" for name in apps))

    def _differs(self, look: Callable[[dict[str, Any]], bool], noted: dict[str, Any]) -> bool:
        key = json.dumps(noted, sort_keys=True)
        if key not in self._known:
            self._known[key] = look(noted)
        return self._known[key]


def box_has_changed(name: str, changed: tuple[str, ...]) -> str:
    """Put the changes in a sentence, with the command that applies them to the machine."""
    have = "have" if len(changed) > 1 else "has"
    return f"{', '.join(changed)} {have} changed since `up`; sandbox up {name} applies it"


def _seen(plan: "Plan") -> dict[str, Any]:
    files = dict.fromkeys((*plan.box_files, *plan.ca_certificates))
    return {
        "box": str(plan.box_path),
        "files": [_of_file(path) for path in files],
        "apps": [
            {
                "name": app.name,
                "path": str(app.path),
                "include": list(app.include),
                "max_mb": app.max_mb,
                "stamp": _stamp(app.path, app.include, app.max_mb),
                "sha256": app.sha256,
            }
            for app in (*plan.apps, *plan.apis)
        ],
    }


def _of_file(path: Path) -> dict[str, Any]:
    try:
        found, content = path.stat(), path.read_bytes()
    except OSError:
        return {"path": str(path), "stamp": [], "sha256": ""}
    digest = hashlib.sha256(content).hexdigest()
    stamp = [found.st_size, found.st_mtime_ns] if _is_settled(found) else []
    return {"path": str(path), "stamp": stamp, "sha256": digest}


def _is_settled(found: os.stat_result) -> bool:
    """Whether a later change would have another time: clocks of file systems tick slowly."""
    return time.time_ns() - found.st_mtime_ns > _TICK_NS


def _file(noted: dict[str, Any]) -> bool:
    path = Path(noted["path"])
    try:
        found = path.stat()
    except OSError:
        return bool(noted["sha256"])
    if noted["stamp"] == [found.st_size, found.st_mtime_ns]:
        return False
    return bool(_of_file(path)["sha256"] != noted["sha256"])


def _app(noted: dict[str, Any]) -> bool:
    folder, include, max_mb = Path(noted["path"]), tuple(noted["include"]), int(noted["max_mb"])
    try:
        files = app_files(folder, include=include, max_mb=max_mb).taken
        if stamp_of(files, folder) == noted["stamp"]:
            return False
        if sum(path.lstat().st_size for path in files) > _MOST_BYTES:
            return True
        return digest_of(files, folder) != str(noted["sha256"])
    except (OSError, TooMuchError, UnreadableError):
        # `up` will report what is wrong with it
        return True


def _stamp(folder: Path, include: tuple[str, ...], max_mb: int) -> str:
    try:
        files = app_files(folder, include=include, max_mb=max_mb).taken
        settled = all(_is_settled(path.lstat()) for path in files)
        return stamp_of(files, folder) if settled else ""
    except (OSError, TooMuchError, UnreadableError):
        return ""
