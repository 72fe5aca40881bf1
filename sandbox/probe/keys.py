"""The keys of captures: apart from the facts, only in this user's state.

Facts only say which key made their hashes. A person with the facts but without the key cannot
find a value by trying, and cannot tell whether two values are equal.
"""

import re
from contextlib import suppress
from pathlib import Path

from sandbox.errors import HostError
from sandbox.files import private_folder, write_whole
from sandbox.paths import state_dir
from sandbox.probe.untaken import HashKey

_DIGITS = re.compile("[0-9a-f]{32}")
_ID = re.compile("[0-9a-f]{12}")


def keep_key(key: HashKey) -> Path:
    """Write a key where `find_key` finds it, readable by its owner alone.

    Raises:
        HostError: it cannot be written.
    """
    path = _path(key.id)
    try:
        private_folder(path.parent, state_dir())
        write_whole(path, f"{key.digits}\n")
    except OSError as error:
        raise HostError(
            f"cannot write {path}: {error.strerror}",
            hint="without the key nobody can tell whether values that were not taken are equal",
        ) from error
    return path


def find_key(key_id: str | None) -> HashKey | None:
    """Find the key with that id; None when it is not here, such as on another computer."""
    if key_id is None or not _ID.fullmatch(key_id):
        return None
    text = ""
    with suppress(OSError, UnicodeDecodeError):
        text = _path(key_id).read_text(encoding="ascii").strip()
    found = HashKey(text) if _DIGITS.fullmatch(text) else None
    return found if found is not None and found.id == key_id else None


def _path(key_id: str) -> Path:
    return state_dir() / "keys" / f"{key_id}.key"
