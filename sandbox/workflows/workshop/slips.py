"""Write what learners get in hand: a page to print and a table, readable by the trainer alone."""

from dataclasses import dataclass
from pathlib import Path

from sandbox.errors import HostError
from sandbox.files import private_folder, write_whole
from sandbox.workflows.workshop.running import RunningWorkshop
from sandbox.workshop.names import seat_word
from sandbox.workshop.seat_map import Seat
from sandbox.workshop.slips import Slip, slips_csv, slips_page


@dataclass(frozen=True)
class SlipFiles:
    """The two files."""

    page: Path
    table: Path


def slip_of(ws: RunningWorkshop, seat: Seat) -> Slip:
    """Return what the person of a seat must know."""
    holder = seat.holder
    return Slip(
        seat=seat_word(seat.number),
        name=holder.name if holder else "",
        email=holder.email if holder else "",
        url=ws.url(seat),
        user=ws.workshop.user,
        secret=ws.store.secret_of(seat.number),
    )


def slips(ws: RunningWorkshop) -> tuple[Slip, ...]:
    """Return the slips of all seats that somebody has or may get."""
    return tuple(slip_of(ws, one) for one in ws.map().seats if not one.retired)


def write_slips(ws: RunningWorkshop, folder: Path) -> SlipFiles:
    """Write both files into a folder; a folder that is made here is kept out of Git.

    Raises:
        HostError: they cannot be written there.
    """
    found = slips(ws)
    title = ws.workshop.description or ws.name
    files = SlipFiles(folder / f"{ws.name}-slips.html", folder / f"{ws.name}-slips.csv")
    try:
        if not folder.exists():
            private_folder(folder, folder)
            write_whole(folder / ".gitignore", "*\n")
        page = slips_page(title, found, is_encrypted=ws.workshop.tls is not None)
        write_whole(files.page, page)
        write_whole(files.table, slips_csv(found))
    except OSError as error:
        raise HostError(
            f"the slips cannot be written into {folder}: {error.strerror}",
            hint=f"sandbox workshop slips {ws.name} --to ANOTHER-FOLDER",
        ) from error
    return files
