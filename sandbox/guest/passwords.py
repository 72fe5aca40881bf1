"""Passwords for the people who sign in to a machine's RStudio Server.

Made on this host at random, for each machine its own, and after it was baked. They go to the
machine through a pipe and are shown once; no file, log, record or command line has them.
"""

import secrets
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sandbox.errors import CommandError, ProvisionError, UsageError
from sandbox.events import step
from sandbox.guest.guest import Guest
from sandbox.ssh import SshTarget

_ASK_S: Final = 30.0
# Nothing that looks like something else, and nothing that a keyboard has elsewhere
_LETTERS: Final = "abcdefghijkmnpqrstuvwxACDEFGHJKLMNPQRTUVWX2346789"
_GROUPS, _GROUP_SIZE = 4, 4
_LOCKED: Final = """\
for name in @NAMES@; do
  case $(passwd -S "$name" 2>/dev/null | cut -d ' ' -f 2) in
  P) ;;
  '') echo "gone $name" ;;
  *) echo "locked $name" ;;
  esac
done
"""


@dataclass(frozen=True)
class NewPassword:
    """A password that somebody has just got; to be shown once, and forgotten."""

    user: str
    password: str

    def __repr__(self) -> str:
        """Without the password: it must not get into a log by accident."""
        return f"NewPassword({self.user})"


def make_password() -> str:
    """Make a password of 16 letters in 4 groups: about 90 bits."""
    groups = ("".join(secrets.choice(_LETTERS) for _ in range(_GROUP_SIZE)) for _ in range(_GROUPS))
    return "-".join(groups)


def give_missing_passwords(guest: Guest) -> tuple[NewPassword, ...]:
    """Give a password to each of the box's users who is to have one, and has none.

    Raises:
        ProvisionError: the machine does not take them.
    """
    names = guest.plan.users_with_password
    if not names:
        return ()
    target = guest.login()
    script = _LOCKED.replace("@NAMES@", shlex.join(names))
    said = [line.split() for line in _as_root(guest, target, script).splitlines()]
    without = [words[1] for words in said if len(words) > 1 and words[0] == "locked"]
    return _given(guest, target, without) if without else ()


def give_password(guest: Guest, user: str) -> NewPassword:
    """Give one of the box's users a new password; the one before is no longer right.

    Raises:
        UsageError: the user is not one who may sign in.
        ProvisionError: the machine does not take it.
    """
    names = guest.plan.users_with_password
    if user not in names:
        there = f"they are {', '.join(names)}" if names else "nobody has one"
        raise UsageError(
            f"{user} has no password in {guest.name}",
            details=f"the users of its box who sign in to RStudio Server have one: {there}",
            hint=f"add `users: [{{name: {shlex.quote(user)}}}]` to the box, then sandbox up again",
        )
    return _given(guest, guest.login(), [user])[0]


def _given(guest: Guest, target: SshTarget, names: Sequence[str]) -> tuple[NewPassword, ...]:
    made = tuple(NewPassword(name, make_password()) for name in names)
    lines = "".join(f"{one.user}:{one.password}\n" for one in made)
    with step(guest.listener, guest.name, "passwords") as note:
        try:
            target.run(("sudo", "-n", "chpasswd"), timeout_s=_ASK_S, stdin=lines)
        except CommandError as error:
            # Its own words could hold a line of what it was given
            raise ProvisionError(
                f"{guest.name} takes no passwords for {', '.join(names)}",
                details=f"chpasswd ended with exit status {error.returncode}",
                hint=f"sandbox up {guest.name} --provision",
            ) from None
        note.text = f"for {', '.join(names)}"
    return made


def _as_root(guest: Guest, target: SshTarget, script: str) -> str:
    try:
        done = target.run(("sudo", "-n", "sh", "-s"), timeout_s=_ASK_S, stdin=script)
    except CommandError as error:
        raise ProvisionError(
            f"{guest.name} does not say who has a password",
            details=error.details or error.message,
            hint=f"sandbox up {guest.name}",
        ) from error
    return done.stdout
