"""Run the probe's script, over one ssh session or on this machine, and return its output."""

import secrets
import shlex
from collections.abc import Callable, Sequence

from sandbox.errors import CommandError, HostError, SandboxError
from sandbox.probe import redact
from sandbox.probe.frame import CutOffError, Frame, read_frame
from sandbox.run import Completed, run
from sandbox.ssh import SshTarget

_CONNECT_TIMEOUT_S = 15
_SSH_FAILED = 255
_APP_READ = "probe-app-read"
"""What facts/subjects/r.sh prints to stderr when an app's process has told all that it can."""
THIS_MACHINE = "this machine"

# `ssh` may be set up to pass on the caller's own locale (SendEnv LANG LC_*): a login
# over there has another one
_LOCALE_VARIABLES = (
    "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_COLLATE", "LC_TIME", "LC_NUMERIC", "LC_MONETARY",
    "LC_MESSAGES", "LC_PAPER", "LC_NAME", "LC_ADDRESS", "LC_TELEPHONE", "LC_MEASUREMENT",
    "LC_IDENTIFICATION",
)  # fmt: skip


class NoSshError(HostError):
    """ssh cannot log in; the hint is for a server of the user's own, not for a sandbox."""


def new_boundary() -> str:
    """Make a word that no machine prints by itself: every line of the probe begins with it."""
    return f"sandbox-probe-{secrets.token_hex(16)}"


def over_ssh(
    target: SshTarget,
    text: str,
    boundary: str,
    *,
    timeout_s: float,
    at_app: Callable[[], None] | None = None,
) -> Frame:
    """Run the script on the machine behind `target`, with any login shell, and return its output.

    `at_app` is called when all that needs a running Shiny Server has been read: only the R of an
    app's view is still at work. Never, when no app lives.

    Raises:
        NoSshError: ssh cannot log in.
        HostError: it took too long, or did not reach its end.
    """
    without_locale = [word for name in _LOCALE_VARIABLES for word in ("-u", name)]
    options = ("-o", "BatchMode=yes", "-o", f"ConnectTimeout={_CONNECT_TIMEOUT_S}", "-T")
    argv = ("env", *without_locale, *target.argv(*options), "sh -s")

    def on_line(line: str) -> None:
        if at_app is not None and line.strip() == _APP_READ:
            at_app()

    return _printed(
        argv,
        f"AT_APP=1\n{text}" if at_app is not None else text,
        boundary,
        where=target.host,
        timeout_s=timeout_s,
        on_line=on_line if at_app is not None else None,
    )


def here(text: str, boundary: str, *, timeout_s: float) -> Frame:
    """Run the script on this machine, and return its output.

    Raises:
        HostError: it took too long, or did not reach its end.
    """
    return _printed(("sh", "-s"), text, boundary, where=THIS_MACHINE, timeout_s=timeout_s)


def _printed(
    argv: Sequence[str],
    text: str,
    boundary: str,
    *,
    where: str,
    timeout_s: float,
    on_line: Callable[[str], None] | None = None,
) -> Frame:
    try:
        done = run(argv, stdin=text, timeout_s=timeout_s, check=False, on_line=on_line)
    except CommandError as error:
        raise HostError(
            f"the probe of {where} did not end within {timeout_s:g} s"
            if error.returncode is None
            else f"cannot probe {where}: {error.message}",
            details=redact.redact_text(error.stderr.strip()),
        ) from error
    try:
        return read_frame(done.stdout, boundary)
    except CutOffError as error:
        raise _cut_off(done, where, error.place) from error


def _cut_off(done: Completed, where: str, place: str) -> SandboxError:
    words = redact.redact_text(done.stderr.strip())
    if done.returncode == _SSH_FAILED:
        return NoSshError(
            f"ssh to {where} failed",
            details=words,
            hint=f"try `ssh {shlex.quote(where)} true`; the probe logs in the same way, "
            "without asking for a password",
        )
    if done.returncode == 127:  # noqa: PLR2004  (the shell's word for "not found")
        return HostError(f"{where} has no `sh`, and the probe needs one", details=words)
    return HostError(
        f"the probe of {where} was cut off (exit status {done.returncode})",
        details=f"{place}\n{words}".strip(),
    )
