"""Root rights, only where they are needed: directly, or through sudo."""

import os
import pwd
import sys
from dataclasses import dataclass
from pathlib import Path

from sandbox.errors import CommandError, HostError
from sandbox.run import interactive, run


@dataclass(frozen=True)
class RootAccess:
    """How a command is run as root: unchanged, or with sudo before it."""

    sudo: tuple[str, ...] = ()

    def argv(self, *words: str | Path, env: tuple[tuple[str, str], ...] = ()) -> tuple[str, ...]:
        """Write the command that runs `words` as root, with `env`, also through sudo."""
        settings = ("env", *(f"{name}={value}" for name, value in env)) if env else ()
        return (*self.sudo, *settings, *(str(word) for word in words))


def passwordless_root() -> RootAccess | None:
    """Get root rights without asking anybody; None when that is not possible."""
    if os.geteuid() == 0:
        return RootAccess()
    try:
        done = run(("sudo", "-n", "true"), timeout_s=10, check=False)
    except CommandError:
        return None
    return RootAccess(("sudo", "-n")) if done.returncode == 0 else None


def acquire_root() -> RootAccess:
    """Get root rights; on a terminal sudo may ask for the password.

    Raises:
        HostError: this user cannot become root.
    """
    root = passwordless_root()
    if root is not None:
        return root
    if sys.stdin.isatty():
        try:
            if interactive(("sudo", "-v")) == 0:
                return RootAccess(("sudo", "-n"))
        except CommandError as error:
            raise HostError(
                "root is needed, and sudo is not installed", hint="run the command as root"
            ) from error
    raise HostError(
        "root is needed to change this host, and sudo does not give it without a password",
        hint="run `sudo -v` first, or run the command as root",
    )


def run_as_root(root: RootAccess, words: tuple[str, ...], stdin: str | None = None) -> None:
    """Run a command that takes a moment at most.

    Raises:
        HostError: it failed; details are its own words.
    """
    try:
        run(root.argv(*words), timeout_s=30, stdin=stdin)
    except CommandError as error:
        raise HostError(error.message, details=error.details) from error


def invoking_user() -> str | None:
    """Return who is behind this process and needs a provider's group; None when that is root."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid()).pw_name
    name = os.environ.get("SUDO_USER", "root")
    return name if name != "root" else None
