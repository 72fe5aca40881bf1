"""Commands for a workshop: many seats from one box. `plan` says before the day whether it fits."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sandbox.cli.complete import complete_workshop
from sandbox.cli.console import Progress, next_steps, say, show, show_json
from sandbox.cli.rows import columns
from sandbox.cli.settings import RootOption, context
from sandbox.cli.workshop_keeper import keep

if TYPE_CHECKING:
    from sandbox.spec.load_workshop import LoadedWorkshop
    from sandbox.workshop.arithmetic import Estimate

FileArgument = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="A workshop file.",
        autocompletion=complete_workshop,
        show_default=False,
    ),
]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]

group = typer.Typer(no_args_is_help=True, help="Many seats from one box, for a class: plan.")


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    group.command("keep", hidden=True)(keep)
    app.add_typer(group, name="workshop")


@group.command("plan")
def plan(file: FileArgument, *, root: RootOption = None, as_json: _Json = False) -> None:
    """Say what a workshop takes, and whether it fits; starts nothing.

    Memory idle and at work on each server, disk, addresses, limits of the kernel, the time that a
    start takes, and what the room's Wi-Fi must carry. Exit 4 when it does not fit.

    sandbox workshop plan class.workshop.yml

    sandbox workshop plan class.workshop.yml --json
    """
    from sandbox.errors import HostError
    from sandbox.spec.load_workshop import load_workshop
    from sandbox.workflows.workshop.plan import plan_workshop

    workshop = load_workshop(file, root=root)
    with Progress() as progress:
        found = plan_workshop(workshop, context(progress))
    if as_json:
        show_json(_as_json(workshop, found))
    else:
        _show(workshop, found)
    if not found.fits:
        raise HostError(
            f"{workshop.name} does not fit",
            details="\n".join(found.refusals),
            hint="fewer seats, a smaller `work_mb`, or more servers; then: sandbox workshop plan "
            f"{_quoted(file)}",
        )
    if not as_json:
        next_steps(f"sandbox up {_quoted(workshop.box.path)} --name {workshop.name}-test")


def _show(workshop: "LoadedWorkshop", found: "Estimate") -> None:
    seats = f"{workshop.seats} seats and {workshop.spare} spare ones of {workshop.box.name}"
    show(f"{workshop.name}: {seats}")
    show()
    rows = [
        (
            share.member.name,
            str(share.seats),
            f"{_gb(share.idle_mb)} / {_gb(share.work_mb)} of {_gb(share.member.memory_mb)}",
            f"{_gb(share.disk_mb)} of {_gb(share.member.disk_mb)}",
            f"{share.seats} of {share.member.addresses}",
            f"{share.start_s:.0f} s",
        )
        for share in found.shares
    ]
    heads = ("SERVER", "SEATS", "MEMORY IDLE / AT WORK", "DISK", "ADDRESSES", "START")
    show(columns(rows, heads=heads))
    show()
    points = f"{found.access_points} access point{'s' if found.access_points != 1 else ''}"
    show(f"the room: {points} for {workshop.seats} people, {found.room_mbit:.0f} Mbit/s together;")
    show("          the servers on a cable")
    for warning in found.warnings:
        say(f"warning: {warning}")


def _as_json(workshop: "LoadedWorkshop", found: "Estimate") -> dict[str, object]:
    return {
        "workshop": workshop.name,
        "box": workshop.box.name,
        "seats": workshop.seats,
        "spare": workshop.spare,
        "fits": found.fits,
        "refusals": list(found.refusals),
        "warnings": list(found.warnings),
        "start_s": found.start_s,
        "access_points": found.access_points,
        "room_mbit": found.room_mbit,
        "servers": [
            {
                "name": share.member.name,
                "seats": share.seats,
                "idle_mb": share.idle_mb,
                "work_mb": share.work_mb,
                "free_memory_mb": share.member.memory_mb,
                "disk_mb": share.disk_mb,
                "free_disk_mb": share.member.disk_mb,
                "free_addresses": share.member.addresses,
                "start_s": share.start_s,
            }
            for share in found.shares
        ],
    }


def _gb(megabytes: int) -> str:
    return f"{megabytes / 1024:.1f} GB"


def _quoted(path: Path) -> str:
    from sandbox.spec.problem import short

    return shlex.quote(short(path))
