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
from sandbox.providers import FALLBACK, PROVIDERS

if TYPE_CHECKING:
    from ipaddress import IPv4Network

    from sandbox.host.setup import SetupOutcome, SetupWishes
    from sandbox.providers.findings import Finding
    from sandbox.providers.provider import HostSetup
    from sandbox.workflows.doctor import Diagnosis


WorkshopOption = Annotated[
    bool,
    typer.Option("--workshop", help="Only nginx, the proxy in front of a workshop's seats."),
]
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
            help=f"Only this one: {', '.join(PROVIDERS)}.",
            autocompletion=complete_provider,
        ),
    ] = None,
    seats: Annotated[
        int | None,
        typer.Option(
            "--seats",
            min=1,
            max=1000,
            metavar="N",
            help="Also: has each server room for N seats of a workshop?",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Show what is usable on this host and why not, with the command that mends it.

    Reads only, and takes less than two seconds. The exit status is 0 when the default provider (or
    the named one) is usable, else 4.

    sandbox doctor

    sandbox doctor --provider incus --json

    sandbox doctor --seats 30
    """
    from sandbox.workflows.doctor import diagnose

    _known(provider)
    chosen = provider or os.environ.get("SANDBOX_PROVIDER") or None
    _known(chosen)
    diagnosis = diagnose(place(), chosen, seats=seats)
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
    ] = FALLBACK,
    pool_gb: Annotated[
        int | None,
        typer.Option(
            min=5, help="How large the storage pool may grow. Default: half the free disk."
        ),
    ] = None,
    subnet: Annotated[
        str | None, typer.Option(help="The sandboxes' IPv4 subnet. Default: a free /24 is found.")
    ] = None,
    workshop: WorkshopOption = False,
    yes: YesOption = False,
) -> None:
    """Make this host ready: install and start what is missing, and make our own place in it.

    First shows exactly what will be done, and asks. Keeps to a project, network and storage pool of
    its own in Incus, and touches nobody else's. Can be run again at any time, also after it was cut
    off.

    sandbox host setup

    sandbox host setup --yes --pool-gb 50

    sandbox host setup --workshop
    """
    from sandbox.host.setup import SetupWishes

    if workshop:
        _set_up_workshop(yes=yes)
        return
    setting_up = _setting_up(
        provider,
        "`sandbox host setup` does not install {title}: its maker does",
        "sandbox doctor --provider {name} tells what is missing",
    )
    wishes = SetupWishes(pool_gb=pool_gb, subnet=_subnet(subnet))
    _refuse_unheeded(provider, setting_up, wishes)
    with Progress() as progress:
        ask = _asker("To make this host ready for sandboxes, this will be done:", yes=yes)
        outcome = setting_up.set_up_host(place(), wishes, confirm=ask, listener=progress)
    option = "" if provider == FALLBACK else f" --provider {provider}"
    _say_what_came_of_it(
        outcome,
        unchanged="everything is in place already",
        changed=f"this host is ready: sandbox up shiny{option}",
    )
    for row in setting_up.advice_after_setup():
        say(row)


def teardown(
    *,
    provider: Annotated[
        str,
        typer.Option(
            "--provider",
            help="What to take back: incus or libvirt.",
            autocompletion=complete_provider,
        ),
    ] = FALLBACK,
    keep_daemon: Annotated[
        bool, typer.Option("--keep-daemon", help="Leave the daemon (Incus, libvirt) running.")
    ] = False,
    packages: Annotated[
        bool, typer.Option("--packages", help="Also remove the packages that setup installed.")
    ] = False,
    workshop: WorkshopOption = False,
    yes: YesOption = False,
) -> None:
    """Take back what `sandbox host setup` made on this host, and nothing else.

    Shows exactly what will be removed, and asks. Sandboxes that still exist are destroyed only with
    --yes. Can be run again at any time, also after it was cut off.

    sandbox host teardown

    sandbox host teardown --yes --packages
    """
    from sandbox.errors import UsageError
    from sandbox.host.setup import Keep

    if workshop:
        _take_back_workshop(yes=yes)
        return
    if keep_daemon and packages:
        raise UsageError("--packages removes the daemon, and --keep-daemon keeps it: choose one")
    setting_up = _setting_up(
        provider,
        "`sandbox host setup` makes nothing for {title}, so nothing is removed",
        "sandbox destroy --all; then `sandbox cache prune` for baked images",
    )
    keep = Keep(daemon=keep_daemon, packages=not packages)
    with Progress() as progress:
        ask = _asker("This will be removed:", yes=yes)
        outcome = setting_up.take_back_host(place(), keep, confirm=ask, sure=yes, listener=progress)
    _say_what_came_of_it(
        outcome,
        unchanged="there is nothing of ours here",
        changed="what sandbox made on this host is gone",
    )


def _set_up_workshop(*, yes: bool) -> None:
    from sandbox.host.nginx_setup import set_up_nginx

    with Progress() as progress:
        ask = _asker("For the proxy in front of a workshop's seats, this will be done:", yes=yes)
        outcome = set_up_nginx(confirm=ask, listener=progress)
    _say_what_came_of_it(
        outcome,
        unchanged="nginx is here already",
        changed="nginx is installed, and does not run: each workshop starts its own",
    )


def _take_back_workshop(*, yes: bool) -> None:
    from sandbox.host.nginx_setup import take_back_nginx

    with Progress() as progress:
        ask = _asker("This will be removed:", yes=yes)
        outcome = take_back_nginx(confirm=ask, listener=progress)
    _say_what_came_of_it(
        outcome,
        unchanged="nginx here is none that sandbox installed",
        changed="the nginx that sandbox installed is gone",
    )


def register(app: typer.Typer) -> None:
    """Add this group's commands to the program."""
    app.command("doctor")(doctor)
    group = typer.Typer(help="Make this host ready for sandboxes, and take that back.")
    group.command("setup")(setup)
    group.command("teardown")(teardown)
    app.add_typer(group, name="host", no_args_is_help=True)


def _setting_up(name: str, message: str, hint: str) -> "HostSetup":
    """The provider's setup.

    Raises:
        UsageError: no such provider, or it has no setup: `message` and `hint` say so.
    """
    from sandbox.errors import UsageError
    from sandbox.providers import load_provider
    from sandbox.providers.provider import HostSetup

    _known(name)
    found = load_provider(name)
    if isinstance(found, HostSetup):
        return found
    words = {"title": found.title, "name": name}
    raise UsageError(message.format(**words), hint=hint.format(**words))


def _refuse_unheeded(name: str, setting_up: "HostSetup", wishes: "SetupWishes") -> None:
    """Refuse options that the provider's setup does not use.

    Raises:
        UsageError: the error says which providers use them.
    """
    from sandbox.errors import UsageError
    from sandbox.providers import Registry
    from sandbox.providers.provider import HostSetup

    given = {field for field, value in vars(wishes).items() if value is not None}
    if given <= setting_up.setup_wishes:
        return
    takers = [one for one in Registry().values() if isinstance(one, HostSetup) and one.setup_wishes]
    options = {field for one in takers for field in one.setup_wishes}
    words = " and ".join(sorted(f"--{field.replace('_', '-')}" for field in options))
    titles = ", ".join(one.title for one in takers)
    raise UsageError(f"{words} are for {titles}: {name} needs neither here")


def _say_what_came_of_it(outcome: "SetupOutcome", *, unchanged: str, changed: str) -> None:
    from sandbox.host.setup import SetupOutcome

    if outcome is SetupOutcome.DECLINED:
        say("nothing was changed")
        raise typer.Exit(4)
    say(unchanged if outcome is SetupOutcome.UNCHANGED else changed)


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

    if provider is not None and provider not in PROVIDERS:
        raise UsageError(
            f"there is no provider `{provider}`", hint=f"one of: {', '.join(PROVIDERS)}"
        )


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
