"""Send the probe to a machine, over one ssh session or to this one, and make its answer facts."""

import secrets
import shlex
from collections.abc import Sequence

from sandbox.errors import CommandError, HostError, SandboxError
from sandbox.facts import registry
from sandbox.facts.answer import facts_of
from sandbox.facts.facts import Facts
from sandbox.probe import redact, script
from sandbox.probe.frame import CutOffError
from sandbox.probe.known import program
from sandbox.probe.script import CLOSED, Taking
from sandbox.probe.untaken import HashKey
from sandbox.run import Completed, run
from sandbox.ssh import SshTarget

_CONNECT_TIMEOUT_S = 15
_SSH_FAILED = 255

# `ssh` may be set up to hand the caller's own locale on (SendEnv LANG LC_*): that is not what a
# login over there has
_LOCALE_VARIABLES = (
    "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_COLLATE", "LC_TIME", "LC_NUMERIC", "LC_MONETARY",
    "LC_MESSAGES", "LC_PAPER", "LC_NAME", "LC_ADDRESS", "LC_TELEPHONE", "LC_MEASUREMENT",
    "LC_IDENTIFICATION",
)  # fmt: skip


class UnreachableError(HostError):
    """ssh did not get in; a hint for a server of the user's own, not for a sandbox."""


def probe(
    target: SshTarget,
    *,
    taking: Taking = CLOSED,
    load_packages: Sequence[str] = (),
    use_sudo: bool = True,
    with_r: bool = True,
    timeout_s: float = 60,
) -> Facts:
    """What the machine behind `target` is. Reads only, over one ssh session.

    Args:
        target: where; the login shell over there may be anything that can run `sh -s`.
        taking: what may leave it.
        load_packages: R packages to load, one after the other, in one R process: a Shiny app's
            kind where there is Shiny Server, else a login's.
        use_sudo: become root by `sudo -n` where the login may; without, `not_seen` is longer.
        with_r: start R and ask it; that is what takes most of the time.
        timeout_s: for everything together; one R process may take a third of it.

    Raises:
        UsageError: a name in `load_packages` cannot be an R package's.
        HostError: the machine cannot be reached, the connection was lost, the answer took too
            long (`details` has ssh's own words), or a section of it makes no sense.
    """
    boundary = new_boundary()
    text = compose(
        boundary,
        taking=taking,
        load_packages=load_packages,
        use_sudo=use_sudo,
        with_r=with_r,
        timeout_s=timeout_s,
    )
    without_locale = [word for name in _LOCALE_VARIABLES for word in ("-u", name)]
    options = ("-o", "BatchMode=yes", "-o", f"ConnectTimeout={_CONNECT_TIMEOUT_S}", "-T")
    argv = ("env", *without_locale, *target.argv(*options), "sh -s")
    facts = _answer(argv, text, boundary, where=target.host, timeout_s=timeout_s)
    return with_key(facts, taking.key)


def probe_local(
    *,
    taking: Taking = CLOSED,
    load_packages: Sequence[str] = (),
    use_sudo: bool = True,
    timeout_s: float = 60,
) -> Facts:
    """What this machine is. Arguments as `probe`.

    Raises:
        UsageError: a name in `load_packages` cannot be an R package's.
        HostError: the answer took too long, or a section of it makes no sense.
    """
    boundary = new_boundary()
    text = compose(
        boundary,
        taking=taking,
        load_packages=load_packages,
        use_sudo=use_sudo,
        timeout_s=timeout_s,
    )
    facts = _answer(("sh", "-s"), text, boundary, where="this machine", timeout_s=timeout_s)
    return with_key(facts, taking.key)


def with_key(facts: Facts, key: HashKey | None) -> Facts:
    """The facts, with which key the hashes in them were made."""
    return facts if key is None else facts.model_copy(update={"hash_key": key.id})


def compose(
    boundary: str,
    *,
    taking: Taking = CLOSED,
    load_packages: Sequence[str] = (),
    use_sudo: bool = True,
    with_r: bool = True,
    timeout_s: float = 60,
) -> str:
    """The whole text that goes to `sh -s`, with every subject's part in it.

    Raises:
        UsageError: a name in `load_packages` cannot be an R package's, or one in `taking` no name.
    """
    return script.compose(
        boundary,
        registry.fragments(),
        taking=taking,
        load_packages=load_packages,
        use_sudo=use_sudo,
        with_r=with_r,
        timeout_s=timeout_s,
    )


def awk_program(*, take_names: Sequence[str] = (), take_files: Sequence[str] = ()) -> str:
    """The program that holds values back on the machine, as the probe has it."""
    fields = registry.fragments().r_fields or {}
    return program.awk_program(take_names=take_names, take_files=take_files, r_fields=fields)


def new_boundary() -> str:
    """A word that no machine says by itself: every line of the probe's own begins with it."""
    return f"sandbox-probe-{secrets.token_hex(16)}"


def _answer(
    argv: Sequence[str], text: str, boundary: str, *, where: str, timeout_s: float
) -> Facts:
    try:
        done = run(argv, stdin=text, timeout_s=timeout_s, check=False)
    except CommandError as error:
        raise HostError(
            f"the probe of {where} did not end within {timeout_s:g} s"
            if error.returncode is None
            else f"cannot probe {where}: {error.message}",
            details=redact.redact_text(error.stderr.strip()),
        ) from error
    try:
        return facts_of(done.stdout, boundary, where=where)
    except CutOffError as error:
        raise _cut_off(done, where, error.place) from error


def _cut_off(done: Completed, where: str, place: str) -> SandboxError:
    words = redact.redact_text(done.stderr.strip())
    if done.returncode == _SSH_FAILED:
        return UnreachableError(
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
