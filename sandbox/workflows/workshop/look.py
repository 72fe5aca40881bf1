"""What was seen inside the seats. A minimal form: the part that looks takes its place."""

from collections.abc import Mapping

from sandbox.workshop.store import WorkshopStore
from sandbox.workshop.view import SeatLook


def looks(store: WorkshopStore) -> Mapping[int, SeatLook]:
    """Read what was seen last, by the number of the seat."""
    del store
    return {}
