"""The background process of an open workshop. A minimal form: the real one takes its place."""

from sandbox.workflows.workshop.running import RunningWorkshop
from sandbox.workshop.store import WorkshopStore


def ensure_keeper(ws: RunningWorkshop) -> None:
    """Start the keeper, where it does not run."""
    del ws


def stop_keeper(ws: RunningWorkshop) -> None:
    """End the keeper; does nothing when it does not run."""
    del ws


def keeper_runs(store: WorkshopStore) -> bool:
    """Tell whether the keeper runs."""
    del store
    return False
