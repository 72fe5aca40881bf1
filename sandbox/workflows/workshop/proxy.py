"""The proxy of an open workshop. A minimal form: the part that runs nginx takes its place."""

from sandbox.workflows.workshop.running import RunningWorkshop


def ensure_proxy(ws: RunningWorkshop) -> None:
    """Start the proxy, where it does not run, with the seats of the map."""
    del ws


def refresh_proxy(ws: RunningWorkshop) -> None:
    """Bring the seat map to the proxy."""
    del ws


def stop_proxy(ws: RunningWorkshop) -> None:
    """End the proxy; does nothing when it does not run."""
    del ws


def proxy_runs(ws: RunningWorkshop) -> bool:
    """Tell whether the proxy runs."""
    del ws
    return False
