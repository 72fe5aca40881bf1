"""`sandbox probe`: the facts of a machine, as JSON."""

from typing import TYPE_CHECKING, Annotated

import typer

from sandbox.cli.complete import complete_name
from sandbox.cli.console import Progress, show_json_text
from sandbox.cli.settings import context
from sandbox.errors import UsageError

if TYPE_CHECKING:
    from sandbox.facts.facts import Facts


def probe(
    name: Annotated[
        str | None,
        typer.Argument(help="A sandbox, as `sandbox list` shows it.", autocompletion=complete_name),
    ] = None,
    *,
    local: Annotated[bool, typer.Option("--local", help="Probe this machine.")] = False,
    ssh: Annotated[
        str | None,
        typer.Option(
            "--ssh",
            metavar="[USER@]HOST",
            help="Probe a machine that your own ssh reaches without asking for a password.",
        ),
    ] = None,
    load: Annotated[
        list[str] | None,
        typer.Option("--load", metavar="PACKAGE", help="Try to load this R package; repeatable."),
    ] = None,
    sudo: Annotated[
        bool, typer.Option(help="Become root by `sudo -n` where that is allowed.")
    ] = True,
    timeout: Annotated[
        float, typer.Option(min=1, metavar="SECONDS", help="Give up after this time.")
    ] = 60,
) -> None:
    """Print what a machine is: its system, its R, its services, as JSON.

    Reads only, and leaves nothing behind. What could not be read is listed under `not_seen`.

    sandbox probe shiny

    sandbox probe --ssh r.example.org > production.json

    sandbox probe --local --load shiny
    """
    if [name is not None, local, ssh is not None].count(True) != 1:
        raise UsageError(
            "say which machine to probe: a sandbox's NAME, --local, or --ssh HOST",
            hint="sandbox list shows the sandboxes",
        )
    facts = (
        _of_sandbox(name, load=load, use_sudo=sudo, timeout_s=timeout)
        if name is not None
        else _of_host(ssh, load=load or [], use_sudo=sudo, timeout_s=timeout)
    )
    show_json_text(facts.model_dump_json(indent=2))


def _of_sandbox(name: str, *, load: list[str] | None, use_sudo: bool, timeout_s: float) -> "Facts":
    from sandbox.facts.collect import probe as probe_target
    from sandbox.probe.keys import keep_key
    from sandbox.probe.script import Taking
    from sandbox.probe.untaken import new_key

    with Progress(quiet=True) as progress:
        guest = context(progress).guest_named(name)
        # Not before it is known that there is such a sandbox
        keep_key(key := new_key())
        if load is None and use_sudo:
            # With the packages of its plan loaded
            return guest.probe(key)
        target = guest.require_login()
    return probe_target(
        target,
        taking=Taking(key=key, own=True),
        load_packages=load or [],
        use_sudo=use_sudo,
        timeout_s=timeout_s,
    )


def _of_host(ssh: str | None, *, load: list[str], use_sudo: bool, timeout_s: float) -> "Facts":
    from sandbox.facts.collect import probe as probe_target
    from sandbox.facts.collect import probe_local
    from sandbox.probe.keys import keep_key
    from sandbox.probe.script import Taking
    from sandbox.probe.untaken import new_key
    from sandbox.ssh import SshTarget

    taking = Taking(key=new_key())
    if ssh is None:
        facts = probe_local(
            taking=taking, load_packages=load, use_sudo=use_sudo, timeout_s=timeout_s
        )
    else:
        facts = probe_target(
            SshTarget(host=ssh),
            taking=taking,
            load_packages=load,
            use_sudo=use_sudo,
            timeout_s=timeout_s,
        )
    if taking.key is not None:
        keep_key(taking.key)
    return facts


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("probe")(probe)
