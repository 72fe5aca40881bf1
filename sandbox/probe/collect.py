"""Send the probe to a machine, over one ssh session or to this one, and make its answer facts."""

import json
import re
import secrets
import shlex
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from sandbox.errors import CommandError, HostError, SandboxError, UsageError
from sandbox.probe import redact
from sandbox.probe.facts import Facts
from sandbox.probe.frame import CutOffError, read_frame
from sandbox.probe.parse import parse
from sandbox.probe.untaken import HashKey
from sandbox.run import Completed, run
from sandbox.ssh import SshTarget

# A view is tried twice at worst (a login's and an app's at the same time), and there is the rest
_R_SHARE = 3
_CONNECT_TIMEOUT_S = 15
_SSH_FAILED = 255
# In place of the functions of the same names
_WITHOUT_R = """
probe_r_login() { unseen "R in a login" "not asked for"; }
probe_r_shiny() { unseen "R inside a Shiny app" "not asked for"; }
"""
_PACKAGE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9.]*")

# `ssh` may be set up to hand the caller's own locale on (SendEnv LANG LC_*): that is not what a
# login over there has
_LOCALE_VARIABLES = (
    "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_COLLATE", "LC_TIME", "LC_NUMERIC", "LC_MONETARY",
    "LC_MESSAGES", "LC_PAPER", "LC_NAME", "LC_ADDRESS", "LC_TELEPHONE", "LC_MEASUREMENT",
    "LC_IDENTIFICATION",
)  # fmt: skip


def probe(
    target: SshTarget,
    *,
    load_packages: Sequence[str] = (),
    use_sudo: bool = True,
    with_r: bool = True,
    key: HashKey | None = None,
    timeout_s: float = 60,
) -> Facts:
    """What the machine behind `target` is. Reads only, over one ssh session.

    Args:
        target: where; the login shell over there may be anything that can run `sh -s`.
        load_packages: R packages to load, one after the other, in one R process: a Shiny app's
            kind where there is Shiny Server, else a login's.
        use_sudo: become root by `sudo -n` where the login may; without, `not_seen` is longer.
        with_r: start R and ask it; that is what takes most of the time.
        key: by which hashes are made of the values that are not taken; without it none are.
        timeout_s: for everything together; one R process may take a third of it.

    Raises:
        UsageError: a name in `load_packages` cannot be an R package's.
        HostError: the machine cannot be reached, the connection was lost, or the answer took too
            long; `details` has ssh's own words.
    """
    boundary = new_boundary()
    script = compose(
        boundary,
        load_packages=load_packages,
        use_sudo=use_sudo,
        with_r=with_r,
        key=key,
        timeout_s=timeout_s,
    )
    without_locale = [word for name in _LOCALE_VARIABLES for word in ("-u", name)]
    options = ("-o", "BatchMode=yes", "-o", f"ConnectTimeout={_CONNECT_TIMEOUT_S}", "-T")
    argv = ("env", *without_locale, *target.argv(*options), "sh -s")
    return _answer(argv, script, boundary, where=target.host, timeout_s=timeout_s)


def probe_local(
    *,
    load_packages: Sequence[str] = (),
    use_sudo: bool = True,
    key: HashKey | None = None,
    timeout_s: float = 60,
) -> Facts:
    """What this machine is. Arguments as `probe`.

    Raises:
        UsageError: a name in `load_packages` cannot be an R package's.
        HostError: the answer took too long.
    """
    boundary = new_boundary()
    script = compose(
        boundary, load_packages=load_packages, use_sudo=use_sudo, key=key, timeout_s=timeout_s
    )
    return _answer(("sh", "-s"), script, boundary, where="this machine", timeout_s=timeout_s)


def compose(
    boundary: str,
    *,
    load_packages: Sequence[str] = (),
    use_sudo: bool = True,
    with_r: bool = True,
    key: HashKey | None = None,
    timeout_s: float = 60,
) -> str:
    """The whole text that goes to `sh -s`.

    Raises:
        UsageError: a name in `load_packages` cannot be an R package's.
    """
    for name in load_packages:
        if not _PACKAGE_NAME.fullmatch(name):
            raise UsageError(f"`{name}` is not the name of an R package")
    loads = shlex.quote(" ".join(load_packages))
    settings = f"B={boundary}\nR_TIMEOUT={max(1, int(timeout_s // _R_SHARE))}\n"
    settings += f"KEY={key.digits if key is not None else ''}\n"
    settings += f"HIDE={shlex.quote(redact.sed_program())}\n"
    settings += f"PROBE_R={shlex.quote(_r_text())}\n"
    functions = _text("probe.sh") + _text("probe_setup.sh") + _text("probe_r.sh")
    if not with_r:
        functions += _WITHOUT_R
    # `</dev/null`: the rest of standard input is this text itself, and nobody else's to read
    for_root = f"{settings}{functions}\nprobe_as_root {loads} </dev/null\n"
    sudo = "sudo" if use_sudo else "no-sudo"
    return (
        f"{settings}PROBE_ROOT={shlex.quote(for_root)}\n{functions}\n"
        f"probe_everything {loads} {sudo} </dev/null\n"
    )


def new_boundary() -> str:
    """A word that no machine says by itself: every line of the probe's own begins with it."""
    return f"sandbox-probe-{secrets.token_hex(16)}"


@cache
def _text(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="ascii")


def _r_text() -> str:
    # A JSON string of ASCII is an R string too
    lines = [f"{name} <- {json.dumps(text)}" for name, text in redact.r_patterns().items()]
    code = [line for line in _text("probe.R").splitlines() if not line.lstrip().startswith("#")]
    return "\n".join([*lines, *code])


def _answer(
    argv: Sequence[str], script: str, boundary: str, *, where: str, timeout_s: float
) -> Facts:
    try:
        done = run(argv, stdin=script, timeout_s=timeout_s, check=False)
    except CommandError as error:
        raise HostError(
            f"the probe of {where} did not end within {timeout_s:g} s"
            if error.returncode is None
            else f"cannot probe {where}: {error.message}",
            details=redact.redact_text(error.stderr.strip()),
        ) from error
    try:
        return parse(read_frame(done.stdout, boundary))
    except CutOffError as error:
        raise _cut_off(done, where) from error


def _cut_off(done: Completed, where: str) -> SandboxError:
    words = redact.redact_text(done.stderr.strip())
    if done.returncode == _SSH_FAILED:
        return HostError(
            f"ssh to {where} failed",
            details=words,
            hint=f"try `ssh {shlex.quote(where)} true`; the probe logs in the same way, "
            "without asking for a password",
        )
    if done.returncode == 127:  # noqa: PLR2004  (the shell's word for "not found")
        return HostError(f"{where} has no `sh`, and the probe needs one", details=words)
    return HostError(
        f"the probe of {where} was cut off (exit status {done.returncode})", details=words
    )
