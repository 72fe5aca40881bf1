"""Commands for baked images and other kept files: bake, cache list, cache prune."""

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sandbox.cli.complete import complete_box
from sandbox.cli.console import Progress, next_steps, say, show, show_json
from sandbox.cli.rows import columns
from sandbox.cli.settings import BaseSourceOption, ProviderOption, RootOption, TrustOption, context

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from sandbox.workflows.cache_materials import KeptImage

JsonOption = Annotated[bool, typer.Option("--json", help="As JSON.")]

group = typer.Typer(
    no_args_is_help=True,
    help="Images and packages, kept so that the next sandbox is up in seconds: list, prune.",
)


def bake(
    box: Annotated[
        str | None,
        typer.Argument(
            help="A box file or a box's name. Default: the only box file here.",
            autocompletion=complete_box,
        ),
    ] = None,
    *,
    provider: ProviderOption = None,
    base_source: BaseSourceOption = "auto",
    root: RootOption = None,
    trust: TrustOption = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Make it from nothing even if it is baked.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a box's machine, check it, and keep it to make others from; no sandbox stays.

    `sandbox up` does the same on its way. Machines made from the image are its clones: they share
    common files, and make their own keys, ids and names.

    sandbox bake shiny

    sandbox bake sales.yml --fresh
    """
    from sandbox.workflows import cache as workflow
    from sandbox.workflows.app_needs import refuse_unmet_needs
    from sandbox.workflows.choose_placement import Overrides, placement_for

    with Progress() as progress:
        its_context = context(progress, provider=provider, base_source=base_source, trust=trust)
        placement = placement_for(box, Overrides(root=root), its_context, cwd=Path.cwd())
        refuse_unmet_needs(placement, its_context)
        baked = workflow.bake(placement, context=its_context, fresh=fresh)
    if as_json:
        answer = {
            "image": baked.image,
            "made_at": baked.made_at.isoformat(),
            "already_there": baked.already_there,
        }
        show_json(answer)
        return
    show(baked.image)
    if baked.already_there:
        say(f"{placement.plan.box_name} is baked already; --fresh makes it again")
    next_steps(f"sandbox up {shlex.quote(box)}" if box else "sandbox up", "sandbox cache list")


@group.command("list")
def list_(*, as_json: JsonOption = False) -> None:
    """Show all that is kept, with its own size on the disk: baked, base, copy, packages.

    Baked images, base images, a hypervisor's copies of base images, and the Debian packages from
    which base images were built. Data that an image shares with machines made from it counts where
    it was made first.

    sandbox cache list

    sandbox cache list --json
    """
    from sandbox.workflows import cache as workflow

    with Progress(quiet=True) as progress:
        found = workflow.kept(context(progress))
    _show(found, as_json=as_json, nothing="nothing is kept yet: sandbox bake BOX")


@group.command("prune")
def prune(
    *,
    older_than: Annotated[
        str, typer.Option(help="Only images not used for this time: 12h, 30d, 4w.")
    ] = "0d",
    keep_last: Annotated[
        int,
        typer.Option(min=0, help="Keep this many of the newest images of each box and base."),
    ] = 0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would go, and remove nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove unused baked images, outdated base images, and kept packages.

    Everything in use or being made stays, and so does the newest image of each base. Unfinished
    images and unused copies of a hypervisor are always removed.

    sandbox cache prune --older-than 30d --keep-last 1

    sandbox cache prune --dry-run
    """
    from sandbox.workflows import cache as workflow
    from sandbox.workflows.cache_materials import PruneRule

    rule = PruneRule(older_than=duration(older_than), keep_last=keep_last)
    with Progress() as progress:
        removed = workflow.prune(rule, context=context(progress), dry_run=dry_run)
    _show(removed, as_json=as_json, nothing="there is nothing to remove")


def duration(text: str) -> "timedelta":
    """Parse a length of time such as `30d`.

    Raises:
        UsageError: the text is not a length of time.
    """
    from datetime import timedelta

    from sandbox.errors import UsageError

    found = re.fullmatch(r"([0-9]{1,5})([hdw])", text)
    if found is None:
        raise UsageError(
            f"`{text}` is not a length of time", hint="a number and h, d or w: 12h, 30d, 4w"
        )
    unit = {"h": "hours", "d": "days", "w": "weeks"}[found[2]]
    return timedelta(**{unit: int(found[1])})


def _show(found: "Sequence[KeptImage]", *, as_json: bool, nothing: str) -> None:
    if as_json:
        show_json([one.model_dump(mode="json") for one in found])
        return
    if not found:
        say(nothing)
        return
    rows = [
        (
            one.image,
            one.kind if one.complete else "unfinished",
            one.provider,
            one.box or one.base,
            _when(one),
            size(one.size_bytes),
            _use(one),
        )
        for one in found
    ]
    heads = ("IMAGE", "KIND", "PROVIDER", "BOX", "MADE", "SIZE", "IN USE BY")
    show(columns(rows, heads=heads))
    total = size(sum(one.size_bytes or 0 for one in found))
    say(f"{len(found)} in all, {total}")


def _when(one: "KeptImage") -> str:
    return one.made_at.astimezone().strftime("%Y-%m-%d %H:%M") if one.made_at else ""


def _use(one: "KeptImage") -> str:
    if one.outdated and not one.machines:
        return "nobody: there is a newer one"
    return ", ".join(one.machines)


def size(size_bytes: int | None) -> str:
    """Write a size for people: `1.2 GB`, `345 MB`; empty when unknown."""
    if size_bytes is None:
        return ""
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.0f} MB"  # noqa: PLR2004


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("bake")(bake)
    app.add_typer(group, name="cache")
