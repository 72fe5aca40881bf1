"""Read the facts of a production host: over one ssh session, without root unless asked."""

from pathlib import Path

from sandbox.capture.session import Answer, ask_over_ssh
from sandbox.errors import HostError
from sandbox.facts.answer import facts_of
from sandbox.facts.collect import compose, with_key
from sandbox.facts.facts import Facts
from sandbox.probe.frame import CutOffError
from sandbox.probe.known import known_words
from sandbox.probe.script import CLOSED, Taking
from sandbox.probe.session import new_boundary

_NO_SH = 127


def read_host(
    target: str,
    *,
    taking: Taking = CLOSED,
    use_sudo: bool = False,
    timeout_s: float = 60,
    config: Path | None = None,
) -> Facts:
    """Read the facts of the host; nothing is changed there.

    Args:
        target: `[USER@]HOST`, as the user's ssh knows the host.
        taking: what may leave the host, and the key for hashes of values that stay there.
        use_sudo: become root by `sudo -n` where that is allowed; root sees into Shiny apps.
        timeout_s: for everything together.
        config: an ssh_config instead of the user's own.

    Raises:
        UsageError: the name is not a host.
        HostError: the host cannot be reached, hangs, or gives an answer that is not complete.
    """
    boundary = new_boundary()
    script = compose(boundary, taking=taking, use_sudo=use_sudo, timeout_s=timeout_s)
    end = f"{boundary}\tsection\tend"
    answer = ask_over_ssh(target, script, last_line=end, timeout_s=timeout_s, config=config)
    try:
        return with_key(facts_of(answer.stdout, boundary, where=target), taking.key)
    except CutOffError as error:
        raise _incomplete(target, answer, boundary, error.place) from error


def _incomplete(target: str, answer: Answer, boundary: str, place: str) -> HostError:
    """Make the error for an incomplete answer. Only lines of known words are shown."""
    own = [line for line in answer.stdout.splitlines() if not line.startswith(boundary)]
    begun = len(own) < len(answer.stdout.splitlines())
    said = answer.stderr.strip() or ("" if begun else "\n".join(own[-5:]).strip())
    words = f"{place}\n{_known(said[-1000:])}".strip()
    if answer.status is None:
        return HostError(f"the connection to {target} was lost before the end", details=words)
    if answer.status == _NO_SH:
        return HostError(f"{target} has no `sh` for this login", details=words)
    if not begun:
        return HostError(
            f"the login on {target} does not run commands (exit status {answer.status})",
            details=words,
            hint=f"try: ssh {target} 'sh -c true' (a login shell or a ForceCommand is in between)",
        )
    return HostError(
        f"the probe of {target} was cut off (exit status {answer.status})", details=words
    )


def _known(text: str) -> str:
    """Lines that may be shown: a login's banner and profile may print anything."""
    lines = text.splitlines()
    shown = [line for line in lines if known_words(line)]
    hidden = len(lines) - len(shown)
    return "\n".join([*shown, *([f"({hidden} more lines, not shown)"] if hidden else [])])
