"""Commands that change a sandbox: up, start, stop, destroy."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sandbox.cli.complete import complete_names, complete_up
from sandbox.cli.console import Progress, agreed, next_steps, say, show, show_error, show_json
from sandbox.cli.passwords import tell_passwords
from sandbox.cli.secrets import given_secrets
from sandbox.cli.settings import (
    BaseSourceOption,
    NameArgument,
    ProviderOption,
    RootOption,
    TrustOption,
    context,
)
from sandbox.errors import HostError, SandboxError

if TYPE_CHECKING:
    from sandbox.workflows.context import Context
    from sandbox.workflows.up import UpResult


def up(
    box: Annotated[
        str | None,
        typer.Argument(
            help="A box file, a box's name, a sandbox, or a bundle. Default: the only box here.",
            autocompletion=complete_up,
        ),
    ] = None,
    *,
    name: Annotated[
        str | None, typer.Option(help="The sandbox's name; default: the box's.")
    ] = None,
    provider: ProviderOption = None,
    cpus: Annotated[int | None, typer.Option(help="Instead of the number in the box.")] = None,
    memory_mb: Annotated[int | None, typer.Option(help="Instead of the number in the box.")] = None,
    disk_gb: Annotated[int | None, typer.Option(help="Instead of the number in the box.")] = None,
    base_source: BaseSourceOption = "auto",
    root: RootOption = None,
    trust: TrustOption = False,
    checks: Annotated[
        bool, typer.Option("--checks/--no-checks", help="Run the checks at the end.")
    ] = True,
    provision: Annotated[
        bool, typer.Option("--provision", help="Run the playbooks even if nothing has changed.")
    ] = False,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Neither use a baked image nor keep one.")
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Make it without a baked image, and bake it again.")
    ] = False,
    locked: Annotated[
        bool,
        typer.Option("--locked", help="Exactly what BOX.lock.yml says; see `sandbox lock`."),
    ] = False,
    secrets: Annotated[
        Path | None,
        typer.Option(
            "--secrets",
            metavar="FILE",
            help="Values of the box's secrets, lines NAME=value; only you may read it (mode 0600).",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The result as JSON on stdout.")] = False,
) -> None:
    """Create a sandbox, or bring it to what its box says now.

    Ends when the apps answer and the checks have run, and prints the URL. Run it again at any time:
    nothing to do takes no time, and interrupted work is taken up where it stopped.

    A machine that passed its checks is baked: kept, so that the next one like it is a clone, up in
    seconds. `sandbox cache list` shows what is kept.

    What the box names as `{secret: NAME}` comes from the environment, from --secrets, or is asked
    for; it goes to the machine and is kept nowhere else.

    sandbox up shiny

    sandbox up sales.yml --name bug-42 --memory-mb 4096

    sandbox up sales.yml --locked

    sandbox up sales.sandbox
    """
    from sandbox.baking import CacheUse
    from sandbox.errors import UsageError
    from sandbox.workflows.app_needs import refuse_unmet_needs
    from sandbox.workflows.bundled import manifest_of
    from sandbox.workflows.choose_placement import Overrides, placement_for
    from sandbox.workflows.up import up as bring_up

    if no_cache and fresh:
        raise UsageError("--no-cache keeps nothing, --fresh keeps what it makes: choose one")
    cache = CacheUse.OFF if no_cache else CacheUse.FRESH if fresh else CacheUse.USE

    with Progress() as progress:
        its_context = context(
            progress,
            provider=provider,
            base_source=base_source,
            trust=trust,
            secrets=given_secrets(secrets),
        )
        box, its_context = _unpacked(box, its_context)
        overrides = Overrides(name, cpus, memory_mb, disk_gb, root)
        placement = placement_for(box, overrides, its_context, cwd=Path.cwd())
        refuse_unmet_needs(placement, its_context)
        if locked or manifest_of(placement.plan.box_path) is not None:
            from sandbox.workflows.locked_plan import locked_placement

            placement = locked_placement(placement, its_context)
        result = bring_up(
            placement, context=its_context, checks=checks, provision_again=provision, cache=cache
        )
    _show_up(result, as_json=as_json)
    tell_passwords(result.placement.name, result.passwords)
    if result.report is not None and not result.report.ok:
        raise typer.Exit(1)


def _unpacked(box: str | None, its_context: "Context") -> "tuple[str | None, Context]":
    """The box in a bundle, at the bundle's provider; anything else as it was said."""
    from sandbox.workflows.bundled import bundle_at

    file = bundle_at(box, cwd=Path.cwd())
    if file is None:
        return box, its_context
    from sandbox.workflows.unbundle import unpack

    found = unpack(file, context=its_context)
    return str(found.box), replace(its_context, provider=found.manifest.base.provider)


def _show_up(result: "UpResult", *, as_json: bool) -> None:
    if as_json:
        show_json(
            {
                "name": result.placement.name,
                "state": str(result.status.power),
                "unchanged": result.unchanged,
                "released": list(result.released),
                "address": result.status.address,
                "urls": [page.url for page in result.pages],
                "checks": result.report.model_dump(mode="json") if result.report else None,
            }
        )
        return
    from sandbox.cli.check_table import render_report

    if result.unchanged:
        when = f"; last checks: {result.report.summary}" if result.report else ""
        say(f"{result.placement.name} is up and unchanged{when}")
    elif result.released:
        _show_released(result)
    elif result.report is not None:
        show(render_report(result.report))
    for page in result.pages:
        show(page.url)
    name = result.placement.name
    if result.report is not None and not result.report.ok:
        next_steps(f"sandbox check {name}", f"sandbox logs {name}")
    elif result.pages:
        next_steps(f"sandbox open {name}", f"sandbox ssh {name}", f"sandbox destroy {name}")
    else:
        next_steps(f"sandbox ssh {name}", f"sandbox destroy {name}")


def _show_released(result: "UpResult") -> None:
    """Print which apps are new, what was checked just now, and what was not."""
    from sandbox.cli.check_table import render_report

    if result.fresh is not None:
        show(render_report(result.fresh))
    checked = "page and session" if result.fresh is not None else "page"
    before = f"; all else was checked before: {result.report.summary}" if result.report else ""
    names = ", ".join(result.released)
    say(f"{result.placement.name}: released {names}, its {checked} checked just now{before}")


def start(name: NameArgument) -> None:
    """Start a stopped sandbox, and end when its apps answer.

    sandbox start shiny
    """
    from sandbox.workflows.power import start as start_sandbox

    with Progress() as progress:
        pages = start_sandbox(name, context=context(progress))
    for page in pages:
        show(page.url)


def stop(name: NameArgument) -> None:
    """Shut a sandbox down; its disk is kept.

    sandbox stop shiny
    """
    from sandbox.workflows.power import stop as stop_sandbox

    with Progress() as progress:
        stop_sandbox(name, context=context(progress))


def destroy(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Sandboxes. Default: the only one.", autocompletion=complete_names),
    ] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="All sandboxes; asks first.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove sandboxes and all that belongs to them, also half-made ones.

    sandbox destroy shiny

    sandbox destroy --all
    """
    from sandbox.workflows.listing import ELSEWHERE, all_sandboxes
    from sandbox.workflows.power import destroy as destroy_sandbox

    with Progress() as progress:
        its_context = context(progress)
        chosen = list(names or [])
        if not chosen:
            found = all_sandboxes(its_context)
            ours = [info.name for info in found if info.state != ELSEWHERE]
            chosen = _chosen(ours, every=every, yes=yes)
        failed = _each(chosen, lambda name: destroy_sandbox(name, context=its_context))
    if failed is not None:
        raise typer.Exit(failed)


def _each(names: list[str], do: Callable[[str], None]) -> int | None:
    """Do it to each, even when some fail; return the exit code of the first that failed.

    Raises:
        SandboxError: the error of the only one.
    """
    failures: dict[str, SandboxError] = {}
    names = list(dict.fromkeys(names))
    for name in names:
        try:
            do(name)
        except OSError as error:
            failures[name] = HostError(f"{name}: {error}", hint="see who owns it: ls -ld")
        except SandboxError as error:
            failures[name] = error
        if name in failures:
            if len(names) == 1:
                raise failures[name]
            show_error(failures[name])
    if not failures:
        return None
    say(f"not destroyed: {', '.join(failures)}; of the others nothing is left")
    return int(next(iter(failures.values())).exit_code)


def _chosen(existing: list[str], *, every: bool, yes: bool) -> list[str]:
    from sandbox.errors import UsageError

    if not existing:
        say("there is no sandbox")
        return []
    if len(existing) > 1 and not every:
        raise UsageError(
            "there are several sandboxes: say which",
            details=", ".join(existing),
            hint="sandbox destroy NAME, or sandbox destroy --all",
        )
    if len(existing) > 1 and not yes:
        if not sys.stdin.isatty():
            raise UsageError("--all asks first, and there is nobody to ask", hint="add --yes")
        if not agreed(f"destroy {', '.join(existing)}?"):
            raise typer.Abort
    return existing


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (up, start, stop, destroy):
        app.command(command.__name__)(command)
