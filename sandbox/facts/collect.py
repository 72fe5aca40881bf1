"""Probe a machine: the script with every subject's part, and facts of what it prints."""

from collections.abc import Callable, Sequence

from sandbox.facts import registry
from sandbox.facts.answer import believed
from sandbox.facts.facts import Facts
from sandbox.probe import script, session
from sandbox.probe.script import CLOSED, Taking
from sandbox.probe.untaken import HashKey
from sandbox.ssh import SshTarget


def probe(
    target: SshTarget,
    *,
    taking: Taking = CLOSED,
    load_packages: Sequence[str] = (),
    use_sudo: bool = True,
    with_r: bool = True,
    timeout_s: float = 60,
    at_app: Callable[[], None] | None = None,
) -> Facts:
    """Probe the machine behind `target` for its facts. Reads only, over one ssh session.

    Args:
        target: where; the login shell over there may be anything that can run `sh -s`.
        taking: what may leave it.
        load_packages: R packages to load, one after the other, in one R process: a Shiny app's
            kind where there is Shiny Server, else a login's.
        use_sudo: become root by `sudo -n` where the login may; without, `not_seen` is longer.
        with_r: start R and ask it; that is what takes most of the time.
        timeout_s: for everything together; one R process may take a third of it.
        at_app: called when nothing more is asked of a running Shiny Server; see `over_ssh`.

    Raises:
        UsageError: a name in `load_packages` cannot be an R package's.
        HostError: the machine cannot be reached, the connection was lost, the answer took too
            long (`details` has ssh's own words), or a section of it makes no sense.
    """
    boundary = session.new_boundary()
    text = compose(
        boundary,
        taking=taking,
        load_packages=load_packages,
        use_sudo=use_sudo,
        with_r=with_r,
        timeout_s=timeout_s,
    )
    frame = session.over_ssh(target, text, boundary, timeout_s=timeout_s, at_app=at_app)
    return with_key(believed(frame, where=target.host), taking.key)


def probe_local(
    *,
    taking: Taking = CLOSED,
    load_packages: Sequence[str] = (),
    use_sudo: bool = True,
    timeout_s: float = 60,
) -> Facts:
    """Probe this machine for its facts. Arguments as `probe`.

    Raises:
        UsageError: a name in `load_packages` cannot be an R package's.
        HostError: the answer took too long, or a section of it makes no sense.
    """
    boundary = session.new_boundary()
    text = compose(
        boundary,
        taking=taking,
        load_packages=load_packages,
        use_sudo=use_sudo,
        timeout_s=timeout_s,
    )
    frame = session.here(text, boundary, timeout_s=timeout_s)
    return with_key(believed(frame, where=session.THIS_MACHINE), taking.key)


def with_key(facts: Facts, key: HashKey | None) -> Facts:
    """Add to the facts the id of the key by which their hashes were made."""
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
    """Write the whole text that goes to `sh -s`, with every subject's part in it.

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
    """Return the program that holds values back on the machine, as the probe has it."""
    taking = Taking(names=tuple(take_names), files=tuple(take_files))
    return script.holding_back(registry.fragments(), taking)
