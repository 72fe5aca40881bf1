"""Commands for earlier states of a sandbox: snapshot save|restore|list|delete, and reset."""

import sys
from typing import Annotated

import typer

from sandbox.cli.complete import complete_snapshot
from sandbox.cli.console import Progress, agreed, say, show, show_json
from sandbox.cli.passwords import tell_passwords
from sandbox.cli.rows import columns
from sandbox.cli.settings import NameArgument, context
from sandbox.errors import UsageError

SnapshotArgument = Annotated[
    str,
    typer.Argument(
        help="A snapshot, as `snapshot list` shows it.", autocompletion=complete_snapshot
    ),
]

group = typer.Typer(
    no_args_is_help=True,
    help="Keep a sandbox as it is, and go back to it: save, restore, list, delete.",
)


@group.command("save")
def save(
    name: NameArgument,
    snapshot: Annotated[
        str | None, typer.Argument(help="Its name; by default snap-1, snap-2, ...")
    ] = None,
) -> None:
    """Keep a sandbox's disk as it is now; it may be running.

    sandbox snapshot save shiny before-upgrade
    """
    from sandbox.workflows import snapshot as workflow

    with Progress() as progress:
        show(workflow.save(name, snapshot, context=context(progress)))


@group.command("restore")
def restore(
    name: NameArgument,
    snapshot: Annotated[
        str | None,
        typer.Argument(
            help="By default the newest one that you saved.", autocompletion=complete_snapshot
        ),
    ] = None,
) -> None:
    """Take a sandbox back to a snapshot: everything written since then is lost.

    A sandbox that runs is running again at the end. The snapshot is kept.

    sandbox snapshot restore shiny before-upgrade
    """
    from sandbox.workflows import snapshot as workflow

    with Progress() as progress:
        chosen = workflow.restore(name, snapshot, context=context(progress))
    say(f"{name} is as it was at {chosen}")


@group.command("list")
def list_(
    name: NameArgument,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Show a sandbox's snapshots, the oldest first.

    sandbox snapshot list shiny
    """
    from sandbox.workflows import snapshot as workflow

    with Progress() as progress:
        found = workflow.saved(name, context=context(progress))
    if as_json:
        rows = [{"name": one.name, "created_at": one.created_at.isoformat()} for one in found]
        show_json(rows)
        return
    if not found:
        say(f"{name} has no snapshot: sandbox snapshot save {name}")
        return
    show(columns((one.name, f"{one.created_at.astimezone():%Y-%m-%d %H:%M:%S}") for one in found))


@group.command("delete")
def delete(
    name: NameArgument,
    snapshot: SnapshotArgument,
    *,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask, not even about `provisioned`.")
    ] = False,
) -> None:
    """Forget a snapshot; the sandbox stays as it is.

    Asks before it forgets `provisioned`, which `sandbox reset` goes back to.

    sandbox snapshot delete shiny before-upgrade
    """
    from sandbox.workflows import snapshot as workflow

    if snapshot == workflow.PROVISIONED and not yes:
        _ask_about_provisioned(name)
    with Progress() as progress:
        workflow.delete(name, snapshot, context=context(progress))


def _ask_about_provisioned(name: str) -> None:
    """Go on only when the user agrees to lose `reset`.

    Raises:
        UsageError: there is nobody to ask.
    """
    loss = f"without `provisioned`, sandbox reset {name} has nothing to go back to"
    if not sys.stdin.isatty():
        raise UsageError(
            f"{loss}, and there is nobody to ask",
            hint=f"to delete it all the same: sandbox snapshot delete {name} provisioned --yes",
        )
    if not agreed(f"{loss}, until `up` provisions it again. Delete it?"):
        raise typer.Abort


def reset(name: NameArgument) -> None:
    """Take a sandbox back to how it was after its last provisioning, and let it run.

    `sandbox up` keeps that state at its end, as the snapshot `provisioned`.

    sandbox reset shiny
    """
    from sandbox.workflows import snapshot as workflow

    with Progress() as progress:
        passwords = workflow.reset(name, context=context(progress))
    say(f"{name} is as it was after provisioning")
    tell_passwords(name, passwords)


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(group, name="snapshot")
    app.command("reset")(reset)
