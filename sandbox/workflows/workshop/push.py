"""Files that every seat gets. A minimal form: the part that packs them takes its place."""

from pathlib import Path

from sandbox.spec.load_workshop import LoadedWorkshop
from sandbox.workflows.workshop.running import RunningWorkshop
from sandbox.workshop.record import HandedOut


def pack(loaded: LoadedWorkshop, folder: Path) -> tuple[HandedOut, ...]:
    """Pack the files of the workshop file into archives in `folder`."""
    del loaded, folder
    return ()


def hand_out(ws: RunningWorkshop, machine: str) -> None:
    """Lay all files of the record into the home in a machine."""
    del ws, machine
