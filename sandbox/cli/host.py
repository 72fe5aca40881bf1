"""Commands about the host: doctor, host setup, host teardown."""

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from sandbox.cli.complete import complete_provider
from sandbox.cli.console import (
    BOLD,
    GREEN,
    RED,
    YELLOW,
    Progress,
    agreed,
    colourful,
    line,
    paint,
    say,
    show,
    show_json,
)
from sandbox.cli.rows import cell
from sandbox.cli.settings import place

if TYPE_CHECKING:
    from ipaddress import IPv4Network

    from sandbox.engines.base import Finding
    from sandbox.events import Listener
    from sandbox.host.doctor import Diagnosis
    from sandbox.host.setup import Outcome
    from sandbox.host.teardown import Keep

_PROVIDERS = ("virtualbox", "incus", "libvirt")

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]


def doctor(
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="The findings as JSON on stdout.")
    ] = False,
    provider: Annotated[
        str | None,
        typer.Option(
            "--provider",
            help="Only this one: incus, virtualbox, libvirt.",
            autocompletion=complete_provider,
        ),
    ] = None,
) -> None:
    """Show what is usable on this host and why not, with the command that mends it.

    Reads only, and takes less than two seconds. The exit status is 0 when the default provider (or
    the named one) is usable, else 4.

    sandbox doctor

    sandbox doctor --provider incus --json
    """
    from sandbox.host.doctor import diagnose

    _known(provider)
    chosen = provider or os.environ.get("SANDBOX_PROVIDER") or None
    _known(chosen)
    diagnosis = diagnose(place(), chosen)
    shown = [item for item in diagnosis.reports if provider in (None, item.provider)]
    if as_json:
        _print_json(diagnosis, [item.provider for item in shown])
    else:
        _print_diagnosis(diagnosis, [item.provider for item in shown])
    usable = {item.provider: item.usable for item in diagnosis.reports}
    if diagnosis.default is None or not usable[diagnosis.default]:
        raise typer.Exit(4)


def setup(
    *,
    provider: Annotated[
        str,
        typer.Option(
            "--provider",
            help="What to set up: incus or libvirt.",
            autocompletion=complete_provider,
        ),
    ] = "incus",
    pool_gb: Annotated[
        int | None,
        typer.Option(
            min=5, help="How large the storage pool may grow. Default: half the free disk."
        ),
    ] = None,
    subnet: Annotated[
        str | None, typer.Option(help="The sandboxes' IPv4 subnet. Default: a free /24 is found.")
    ] = None,
    yes: YesOption = False,
) -> None:
    """Make this host ready: install and start what is missing, and make our own place in it.

    First shows exactly what will be done, and asks. Keeps to a project, network and storage pool of
    its own in Incus, and touches nobody else's. Can be run again at any time, also after it was cut
    off.

    sandbox host setup

    sandbox host setup --yes --pool-gb 50
    """
    from sandbox.errors import UsageError
    from sandbox.host.incus_objects import Choices
    from sandbox.host.setup import Outcome, host_setup

    _known(provider)
    if provider == "virtualbox":
        raise UsageError(
            "`sandbox host setup` does not install VirtualBox: its maker does",
            hint="sandbox doctor --provider virtualbox tells what is missing",
        )
    if provider == "libvirt" and (pool_gb is not None or subnet is not None):
        raise UsageError("--pool-gb and --subnet are for Incus: libvirt needs neither here")
    choices = Choices(pool_gb=pool_gb, subnet=_subnet(subnet))
    with Progress() as progress:
        ask = _asker("To make this host ready for sandboxes, this will be done:", yes=yes)
        if provider == "libvirt":
            from sandbox.host import libvirt_setup

            where = libvirt_setup.LibvirtPlace(place().pool)
            outcome = libvirt_setup.host_setup(where, confirm=ask, listener=progress)
        else:
            outcome = host_setup(place(), confirm=ask, listener=progress, choices=choices)
    if outcome is Outcome.DECLINED:
        say("nothing was changed")
        raise typer.Exit(4)
    if outcome is Outcome.UNCHANGED:
        say("everything is in place already")
    else:
        option = "" if provider == "incus" else f" --provider {provider}"
        say(f"this host is ready: sandbox up shiny{option}")
    _tell_about_group(provider)


def teardown(
    *,
    provider: Annotated[
        str,
        typer.Option(
            "--provider",
            help="What to take back: incus or libvirt.",
            autocompletion=complete_provider,
        ),
    ] = "incus",
    keep_daemon: Annotated[
        bool, typer.Option("--keep-daemon", help="Leave the daemon (Incus, libvirt) running.")
    ] = False,
    packages: Annotated[
        bool, typer.Option("--packages", help="Also remove the packages that setup installed.")
    ] = False,
    yes: YesOption = False,
) -> None:
    """Take back what `sandbox host setup` made on this host, and nothing else.

    Shows exactly what will be removed, and asks. Sandboxes that still exist are destroyed only with
    --yes. Can be run again at any time, also after it was cut off.

    sandbox host teardown

    sandbox host teardown --yes --packages
    """
    from sandbox.errors import UsageError
    from sandbox.host.setup import Outcome
    from sandbox.host.teardown import Keep, host_teardown

    if keep_daemon and packages:
        raise UsageError("--packages removes the daemon, and --keep-daemon keeps it: choose one")
    _known(provider)
    if provider == "virtualbox":
        raise UsageError(
            "`sandbox host setup` makes nothing for VirtualBox, so nothing is removed",
            hint="sandbox destroy --all; then `sandbox cache prune` for baked images",
        )
    keep = Keep(daemon=keep_daemon, packages=not packages)
    with Progress() as progress:
        ask = _asker("This will be removed:", yes=yes)
        if provider == "libvirt":
            outcome = _libvirt_teardown(ask, progress, keep, sure=yes)
        else:
            outcome = host_teardown(place(), confirm=ask, sure=yes, listener=progress, keep=keep)
    if outcome is Outcome.DECLINED:
        say("nothing was changed")
        raise typer.Exit(4)
    if outcome is Outcome.UNCHANGED:
        say("there is nothing of ours here")
    else:
        say("what sandbox made on this host is gone")


def _libvirt_teardown(
    ask: Callable[[list[str]], bool], listener: "Listener", keep: "Keep", *, sure: bool
) -> "Outcome":
    from sandbox.engines.vagrant_baking import BakingVagrantEngine
    from sandbox.engines.vagrant_libvirt import Libvirt
    from sandbox.host.libvirt_setup import LibvirtPlace
    from sandbox.host.libvirt_teardown import host_teardown

    where = LibvirtPlace(place().pool)
    engine = BakingVagrantEngine(Libvirt(where.prefix, pool=where.pool))
    return host_teardown(where, engine=engine, confirm=ask, sure=sure, listener=listener, keep=keep)


def register(app: typer.Typer) -> None:
    """Add this group's commands to the program."""
    app.command("doctor")(doctor)
    group = typer.Typer(help="Make this host ready for sandboxes, and take that back.")
    group.command("setup")(setup)
    group.command("teardown")(teardown)
    app.add_typer(group, name="host", no_args_is_help=True)


def _asker(heading: str, *, yes: bool) -> Callable[[list[str]], bool]:
    def ask(lines: list[str]) -> bool:
        from sandbox.errors import UsageError

        say(heading)
        for row in lines:
            say(f"  {row}" if row.startswith(" ") else f"  - {row}")
        if yes:
            return True
        if not sys.stdin.isatty():
            raise UsageError(
                "this changes the host, and there is no terminal to ask on",
                hint="look at the list above, then run the command again with --yes",
            )
        return agreed("Go on?")

    return ask


def _subnet(text: str | None) -> "IPv4Network | None":
    from ipaddress import IPv4Network

    from sandbox.errors import UsageError

    if text is None:
        return None
    try:
        network = IPv4Network(text)
    except ValueError as error:
        raise UsageError(
            f"{text!r} is not an IPv4 subnet", details=str(error), hint="--subnet 10.9.8.0/24"
        ) from error
    if not 16 <= network.prefixlen <= 29 or not network.is_private:  # noqa: PLR2004
        raise UsageError(
            f"{network} cannot be the sandboxes' subnet",
            hint="a private one, from /16 to /29: --subnet 10.9.8.0/24",
        )
    return network


def _known(provider: str | None) -> None:
    from sandbox.errors import UsageError

    if provider is not None and provider not in _PROVIDERS:
        raise UsageError(
            f"there is no provider `{provider}`", hint=f"one of: {', '.join(_PROVIDERS)}"
        )


def _tell_about_group(provider: str) -> None:
    from sandbox.host.facts import INCUS_GROUP, MEANING, gather
    from sandbox.host.libvirt import GROUP, has_group_now, is_member

    host = gather()
    if provider == "incus":
        # Said every time: whoever sets up a host is who adds others to the group later on
        say(f"note: {MEANING}; give it to nobody whom you would not give sudo")
    if provider == "libvirt":
        group, member, now = GROUP, host.user is not None and is_member(host.user), has_group_now()
    else:
        group, member, now = INCUS_GROUP, host.in_group, host.in_group_now
    if host.user is not None and member and not now:
        say(f"{host.user} is in the group {group} from the next login on; until then:")
        say(f"  newgrp {group}")


def _print_json(diagnosis: "Diagnosis", shown: list[str]) -> None:
    from dataclasses import asdict

    reports = [item for item in diagnosis.reports if item.provider in shown]
    data = {
        "default": diagnosis.default,
        "reason": diagnosis.reason,
        "providers": [
            {
                "provider": item.provider,
                "usable": item.usable,
                "findings": [asdict(finding) for finding in item.findings],
            }
            for item in reports
        ],
    }
    show_json(data)


def _print_diagnosis(diagnosis: "Diagnosis", shown: list[str]) -> None:
    on = colourful(stdout=True)
    for report in diagnosis.reports:
        if report.provider not in shown:
            continue
        verdict = "usable" if report.usable else "not usable"
        colour = GREEN if report.usable else RED
        verdict_shown = paint(verdict, colour, on=on)
        show(line(paint(report.provider, BOLD, on=on), ": ", verdict_shown))
        for finding in report.findings:
            _print_finding(finding, on=on)
        show()
    name = diagnosis.default or "none"
    show(f"default provider: {name}, because {diagnosis.reason}")


def _print_finding(finding: "Finding", *, on: bool) -> None:
    word, colour = ("ok", GREEN) if finding.ok else ("no", RED)
    if finding.warning and not finding.ok:
        word, colour = "warn", YELLOW
    detail = f": {finding.detail}" if finding.detail else ""
    show(line("  ", cell(word, 4, colour, on=on), f" {finding.title}{detail}"))
    if finding.fix and not finding.ok:
        show(f"         {finding.fix}")
