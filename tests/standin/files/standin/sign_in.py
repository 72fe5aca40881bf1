"""Decides who may sign in: password, user id, groups, and how often."""

from __future__ import annotations

import grp
import os
import pwd
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

from .logs import Log
from .options import Options

OK, WRONG, SERVER, UNAUTHORISED = 0, 1, 2, 3
BIN = Path(__file__).resolve().parent.parent / "bin"


def program(path: Path) -> list[str]:
    """Say how to start a program of the stand-in with the Python that runs this one."""
    return [sys.executable, "-I", str(path)] if path.parent == BIN else [str(path)]


def as_root() -> dict[str, int]:
    """Say how a child gets root back, which the server has put aside and not given up."""
    return {"user": 0, "group": 0} if os.getuid() == 0 and os.geteuid() != 0 else {}


class SignIn:
    """The rules for one start of the server."""

    def __init__(self, options: Options, log: Log) -> None:
        self._log = log
        helper = options.text("auth-pam-helper-path", "rserver-pam")
        # A relative path is one of the package's own folder
        self._helper = BIN / helper
        self._must_ask = options.flag("auth-pam-require-password-prompt", True)
        self._validates = options.flag("auth-validate-users", os.getuid() == 0)
        self._groups = [one for one in options.text("auth-required-user-group").split(",") if one]
        self._minimum = self._minimum_uid(options)
        self._throttle_s = options.number("auth-sign-in-throttle-seconds", 5)
        self._times: dict[str, float] = {}
        self._lock = threading.Lock()

    @staticmethod
    def _minimum_uid(options: Options) -> int:
        if options.text("auth-minimum-user-id", "auto") != "auto":
            return options.number("auth-minimum-user-id", 1000)
        try:
            text = Path("/etc/login.defs").read_text(encoding="utf-8")
        except OSError:
            return 1000
        found = re.search(r"^UID_MIN\s+(\d+)", text, re.MULTILINE)
        return int(found[1]) if found else 1000

    def check(self, user: str, password: str) -> int:
        """Check a user in the real order: the password first, its answer last."""
        is_right = self._is_right(user, password)
        if not self._may(user):
            return UNAUTHORISED
        if self._is_too_soon(user):
            return SERVER
        return OK if is_right else WRONG

    def _is_right(self, user: str, password: str) -> bool:
        if not self._helper.exists():
            self._log.say_error(f"PAM helper binary does not exist at {self._helper}")
            return False
        if not password:
            self._log.say_warning(f"No PAM password provided for user '{user}'; refusing login")
            return False
        if user.startswith("-"):
            return False
        words = [*program(self._helper), user, "rstudio", "1" if self._must_ask else "0"]
        done = subprocess.run(
            words, input=password.encode(), timeout=60, check=False, capture_output=True,
            **as_root(),  # type: ignore[call-overload]
        )  # fmt: skip
        return bool(done.returncode == 0)

    def _may(self, user: str) -> bool:
        if not self._validates:
            return True
        entry = entry_of(user)
        if entry is None:
            return False
        if entry.pw_uid < self._minimum:
            self._log.say_warning(
                f"User {user} could not be authenticated because the user id {entry.pw_uid} "
                f"is less than the minimum allowed ({self._minimum})"
            )
            return False
        if self._groups and not self._is_in_a_group(entry):
            groups = ",".join(self._groups)
            self._log.say_warning(f"User {user} is not in the required group {groups}")
            return False
        return True

    def _is_in_a_group(self, entry: pwd.struct_passwd) -> bool:
        its = set(os.getgrouplist(entry.pw_name, entry.pw_gid))
        for name in self._groups:
            try:
                if grp.getgrnam(name).gr_gid in its:
                    return True
            except KeyError:
                continue
        return False

    def _is_too_soon(self, user: str) -> bool:
        with self._lock:
            now = time.monotonic()
            if now - self._times.get(user, -1e9) < self._throttle_s:
                self._log.say_warning(
                    f"Too many attempts within {self._throttle_s} seconds for '{user}'"
                )
                return True
            self._times[user] = now
            return False


def entry_of(user: str) -> pwd.struct_passwd | None:
    """Give the entry of a user, when there is one."""
    try:
        return pwd.getpwnam(user)
    except (KeyError, ValueError):
        return None
