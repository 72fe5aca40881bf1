"""Commands for a whole workshop: plan, up, list, down. Those for its seats are in other files."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sandbox.cli.complete import complete_workshop
from sandbox.cli.console import Progress, agreed, next_steps, say, show, show_json
from sandbox.cli.rows import columns
from sandbox.cli.settings import RootOption, TrustOption, context
from sandbox.cli.workshop_keeper import keep
from sandbox.cli.workshop_named import (
    FolderOption,
    JsonOption,
    OpenName,
    name_of,
    seat_json,
    trainers_page,
)
from sandbox.cli.workshop_seats import register_seats
from sandbox.cli.workshop_work import register_work

if TYPE_CHECKING:
    from sandbox.spec.load_workshop import LoadedWorkshop
    from sandbox.workflows.context import Context
    from sandbox.workflows.workshop.down import Closed
    from sandbox.workflows.workshop.running import RunningWorkshop
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
group = typer.Typer(
    no_args_is_help=True,
    help="Many seats from one box, for a class: plan it, open it, look after it, close it.",
)


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    register_seats(group)
    register_work(group)
    group.command("keep", hidden=True)(keep)
    app.add_typer(group, name="workshop")


@group.command("plan")
def plan(file: FileArgument, *, root: RootOption = None, as_json: JsonOption = False) -> None:
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
        next_steps(f"sandbox workshop up {_quoted(file)}")


@group.command("up")
def up(
    file: FileArgument,
    *,
    into: FolderOption = None,
    root: RootOption = None,
    trust: TrustOption = False,
    as_json: JsonOption = False,
) -> None:
    """Open a workshop: make every seat, and end when all answer at their addresses.

    The box is made and checked once, and kept; each seat is a clone of that. Run it again at any
    time: what is ready stays, what was cut off or failed is taken up, and a changed file is taken
    over. Then there are slips to print and a table for mails, in the folder NAME-slips or the one
    that --into names: they hold the seats' secrets.

    sandbox workshop up class.workshop.yml

    sandbox workshop up class.workshop.yml --into ~/class
    """
    from sandbox.spec.load_workshop import load_workshop
    from sandbox.workflows.workshop.slips import write_slips
    from sandbox.workflows.workshop.up import SeatsFailedError, open_workshop

    loaded = load_workshop(file, root=root)
    failure: SeatsFailedError | None = None
    with Progress() as progress:
        try:
            ws = open_workshop(loaded, context(progress, trust=trust))
        except SeatsFailedError as error:
            failure, ws = error, error.ws
    slips = write_slips(ws, into or Path.cwd() / f"{ws.name}-slips")
    if as_json:
        show_json({**_workshop_json(ws), "slips": str(slips.page), "table": str(slips.table)})
    else:
        _show_opened(ws)
        show(f"slips to print: {slips.page}")
        show(f"for mails:      {slips.table}")
    if failure is not None:
        raise failure
    if not as_json:
        next_steps(f"sandbox workshop status {ws.name}", f"sandbox workshop down {ws.name}")


def _show_opened(ws: "RunningWorkshop") -> None:
    from sandbox.workshop.names import claim_host, seat_word, url_of

    rows = [
        (
            seat_word(one.number),
            one.holder.name if one.holder else "-",
            ws.url(one),
            "ready" if one.ready else "not ready",
        )
        for one in ws.map().seats
        if not one.retired
    ]
    show(columns(rows, heads=("SEAT", "PERSON", "ADDRESS", "STATE")))
    said, listen = ws.workshop, ws.workshop.listen
    show()
    claim = url_of(claim_host(said.names.domain), listen.port, tls=said.tls is not None)
    show(f"to claim a seat: {claim}")
    show(trainers_page(ws))
    if said.tls is None and listen.address not in {"127.0.0.1", "::1"}:
        say("warning: no certificate: passwords and pages cross the room's network unencrypted")


def _workshop_json(ws: "RunningWorkshop") -> dict[str, object]:
    return {
        "workshop": ws.name,
        "ends": ws.record.ends.isoformat() if ws.record.ends else None,
        "seats": [seat_json(ws, one) for one in ws.map().seats if not one.retired],
    }


@group.command("list")
def list_workshops(*, as_json: JsonOption = False) -> None:
    """List the workshops of this host, also half-made and half-removed ones.

    sandbox workshop list
    """
    from sandbox.workflows.workshop.status import workshops

    found = workshops()
    if as_json:
        show_json([one.as_json() for one in found])
    elif found:
        rows = [
            (one.name, one.state, f"{one.ready} of {one.seats}", one.ends_words, str(one.path))
            for one in found
        ]
        show(columns(rows, heads=("NAME", "STATE", "READY", "ENDS", "FILE")))
    else:
        say("no workshop is open on this host")


@group.command("down")
def down(
    name: OpenName = None,
    *,
    into: FolderOption = None,
    collect: Annotated[
        bool,
        typer.Option("--collect/--no-collect", help="Without it all work is lost; asks first."),
    ] = True,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Close a workshop: collect everybody's work, then remove all of it.

    The work comes into the folder NAME-homes, or the one that --into names: one archive for each
    seat, with checksums. It ends when nothing is left, and names what is left otherwise (exit 5);
    run it again then.

    sandbox workshop down class

    sandbox workshop down class --into ~/class
    """
    wanted = name_of(name)
    if not collect and not yes:
        _ask_before_losing(wanted)
    folder = (into or Path.cwd() / f"{wanted}-homes") if collect else None
    with Progress() as progress:
        closed = _close(wanted, folder, context(progress))
    if as_json:
        manifest = closed.collected
        show_json(
            {
                "workshop": closed.name,
                "machines": closed.machines,
                "folder": str(closed.folder) if manifest is not None else None,
                "homes": [one.model_dump(mode="json") for one in manifest.homes]
                if manifest
                else [],
                "missing": list(manifest.missing) if manifest else [],
            }
        )
        return
    say(f"{closed.name} is closed: nothing of it is left")
    if closed.collected is not None:
        show(f"{len(closed.collected.homes)} archives: {closed.folder}")


def _close(name: str, folder: Path | None, its_context: "Context") -> "Closed":
    from sandbox.saved import BrokenFileError
    from sandbox.workflows.workshop.down import close, close_remains
    from sandbox.workflows.workshop.running import RunningWorkshop
    from sandbox.workshop.store import WorkshopStore

    try:
        is_known = WorkshopStore(name).read() is not None
    except BrokenFileError:
        is_known = False
    if is_known:
        return close(RunningWorkshop.named(name, its_context), folder)
    return close_remains(name, its_context, may_lose=folder is None)


def _ask_before_losing(name: str) -> None:
    from sandbox.errors import UsageError

    if not sys.stdin.isatty():
        raise UsageError("--no-collect asks first, and there is nobody to ask", hint="add --yes")
    if not agreed(f"remove {name} with all work in it?"):
        raise typer.Abort


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
    if found.replica_mbit[1]:
        idle, most = found.replica_mbit
        show(
            f"copies of whole seats: a server sends {idle:.1f} Mbit/s to the others when nothing "
            f"changes, at most {most:.0f};"
        )
        show(f"          {_carried(found)}, counted above")
    for warning in found.warnings:
        say(f"warning: {warning}")


def _carried(found: "Estimate") -> str:
    """How many copies each server carries."""
    words = [f"{one.member.name} {one.replicas}" for one in found.shares]
    return f"their disk ({', '.join(words)} of them)"


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
        "replica_mbit": found.replica_mbit[0],
        "replica_most_mbit": found.replica_mbit[1],
        "servers": [
            {
                "name": share.member.name,
                "seats": share.seats,
                "replicas": share.replicas,
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
