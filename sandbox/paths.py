"""Where things are: the data we ship, the user's state, the user's cache."""

import os
import pwd
import re
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

from sandbox.errors import HostError

_UNUSABLE: Final = re.compile('[\x00-\x1f\x7f\udc80-\udcff"\\\\]|\\$\\{')
"""Characters that may not be in our paths: apt, ssh_config or UTF-8 text cannot hold them."""
_PLAIN: Final = re.compile(r"[\w/.,:@+-]+", re.ASCII)


@cache
def data_dir(kind: str) -> Path:
    """Find the folder `boxes`, `templates` or `playbooks`, in a checkout or an installed wheel.

    Raises:
        FileNotFoundError: neither place has it (a broken installation).
    """
    package = Path(__file__).resolve().parent
    for candidate in (package / "_data" / kind, package.parent / kind):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"this installation of sandbox lacks its folder {kind!r}")


def _xdg(variable: str, fallback: str) -> Path:
    value = os.environ.get(variable, "")
    # The XDG specification: a relative path is to be ignored
    root = Path(value) if value.startswith("/") else Path.home() / fallback
    if found := _UNUSABLE.search(str(root)):
        raise HostError(
            f"sandbox cannot keep its files in {str(root)!r}",
            details=f"there is {_in_words(found[0])} in it, which ssh or apt cannot read",
            hint=f"export {variable}=/another/folder",
        )
    return root / "sandbox"


def _in_words(letters: str) -> str:
    if letters in ("${", '"', "\\"):
        return f"`{letters}`"
    if "\udc80" <= letters <= "\udcff":
        return "a byte that is not UTF-8"
    return "a control character"


def state_dir() -> Path:
    """Return the state folder: `instances/`, `locks/`, and `host/` for what setup did."""
    return _xdg("XDG_STATE_HOME", ".local/state")


def instances_dir() -> Path:
    """Return the folder with one folder for each instance."""
    return state_dir() / "instances"


def cache_dir() -> Path:
    """Return the cache folder: its files can be made again."""
    return _xdg("XDG_CACHE_HOME", ".cache")


def sudo_uid() -> int | None:
    """Return the user who became root by sudo; None when nobody did."""
    word = os.environ.get("SUDO_UID", "")
    return int(word) if os.getuid() == 0 and word.isascii() and word.isdigit() else None


def homes() -> tuple[Path, ...]:
    """List the homes of this user, and of the user who became root by sudo; links resolved."""
    found = {Path.home()}
    for uid in {os.getuid(), sudo_uid() or os.getuid()}:
        with suppress(KeyError):  # a user of a container that has no entry
            found.add(Path(pwd.getpwuid(uid).pw_dir))
    # A service account's home may be `/`, or may not exist: neither says anything
    kept = (one.resolve() for one in found if one.is_absolute() and one != Path("/"))
    return tuple(sorted(kept))


def user_config_path() -> Path:
    """Return the file with the user's own settings, which may not be there."""
    return _xdg("XDG_CONFIG_HOME", ".config") / "config.yml"


def runtime_dir() -> Path:
    """Return a short folder of this user's own, for sockets (a ControlPath has about 100 bytes).

    `/run/user/UID` where there is one, else under /tmp; made 0700, and refused when it is not ours.
    """
    uid = os.getuid()
    base = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{uid}")
    is_usable = _PLAIN.fullmatch(str(base)) is not None and len(str(base)) < 40  # noqa: PLR2004
    if is_usable and base.is_dir() and base.stat().st_uid == uid:
        folder = base / "sandbox"
    else:
        folder = Path(f"/tmp/sandbox-{uid}")  # noqa: S108  (owner and mode are checked below)
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if found.st_uid != uid or folder.is_symlink() or found.st_mode & 0o077:
        raise PermissionError(f"{folder} is not a private folder of yours: remove it")
    return folder


def ssh_word(path: Path, *, tokens: str = "") -> str:
    """Quote a file's name in ssh_config's own grammar, which gives a meaning to blanks and `%`.

    `tokens` is added after the name as it is, such as `/%C`.
    """
    text = str(path).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{text}{tokens}"'
