"""Where things are: the data we ship, the user's state, the user's cache."""

import os
import pwd
from contextlib import suppress
from functools import cache
from pathlib import Path


@cache
def data_dir(kind: str) -> Path:
    """The folder `boxes`, `templates` or `playbooks`, in a checkout or inside an installed wheel.

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
    return root / "sandbox"


def state_dir() -> Path:
    """`$XDG_STATE_HOME/sandbox`: `instances/`, `locks/`, and `host/` for what setup did."""
    return _xdg("XDG_STATE_HOME", ".local/state")


def instances_dir() -> Path:
    """One folder an instance."""
    return state_dir() / "instances"


def cache_dir() -> Path:
    """`$XDG_CACHE_HOME/sandbox`: what can be made again."""
    return _xdg("XDG_CACHE_HOME", ".cache")


def sudo_uid() -> int | None:
    """Who became root by sudo; None when nobody did."""
    word = os.environ.get("SUDO_UID", "")
    return int(word) if os.getuid() == 0 and word.isascii() and word.isdigit() else None


def homes() -> tuple[Path, ...]:
    """The home folders of this user, and of whoever became root by sudo; links resolved."""
    found = {Path.home()}
    for uid in {os.getuid(), sudo_uid() or os.getuid()}:
        with suppress(KeyError):  # a user of a container that has no entry
            found.add(Path(pwd.getpwuid(uid).pw_dir))
    # A service account's home may be / or not there at all: those say nothing
    kept = (one.resolve() for one in found if one.is_absolute() and one != Path("/"))
    return tuple(sorted(kept))


def vagrant_home() -> Path:
    """Where this user's Vagrant keeps its boxes: `$VAGRANT_HOME`, or `~/.vagrant.d`."""
    value = os.environ.get("VAGRANT_HOME", "")
    return Path(value).expanduser() if value else Path.home() / ".vagrant.d"


def incus_socket() -> Path | None:
    """The socket of this host's Incus daemon, where `incus` would look for it; None without one."""
    if chosen := os.environ.get("INCUS_SOCKET"):
        return Path(chosen)
    folder = os.environ.get("INCUS_DIR")
    folders = (folder,) if folder else ("/run/incus", "/var/lib/incus")
    found = (Path(one) / "unix.socket" for one in folders)
    return next((path for path in found if path.exists()), None)


def runtime_dir() -> Path:
    """A short folder of this user's own, for sockets (a ControlPath may have about 100 bytes).

    `/run/user/UID` where there is one, else under /tmp; made 0700, and refused when it is not ours.
    """
    uid = os.getuid()
    base = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{uid}")
    if base.is_dir() and base.stat().st_uid == uid and len(str(base)) < 40:  # noqa: PLR2004
        folder = base / "sandbox"
    else:
        folder = Path(f"/tmp/sandbox-{uid}")  # noqa: S108  (owner and mode are checked below)
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if found.st_uid != uid or folder.is_symlink() or found.st_mode & 0o077:
        raise PermissionError(f"{folder} is not a private folder of yours: remove it")
    return folder
