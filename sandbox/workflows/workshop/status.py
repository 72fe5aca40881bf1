"""The workshops of this host, from their folders alone; `view` asks for one of them."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sandbox.errors import HostError
from sandbox.workshop.store import WorkshopStore, workshop_names


@dataclass(frozen=True)
class ListedWorkshop:
    """A workshop in a listing."""

    name: str
    state: str
    """open, closing, damaged."""
    seats: int = 0
    ready: int = 0
    ends: datetime | None = None
    path: Path | str = ""

    @property
    def ends_words(self) -> str:
        """The end, as people write it; a dash without one."""
        return f"{self.ends:%Y-%m-%d %H:%M}" if self.ends is not None else "-"

    def as_json(self) -> dict[str, object]:
        """Return it for programs."""
        return {
            "name": self.name,
            "state": self.state,
            "seats": self.seats,
            "ready": self.ready,
            "ends": self.ends.isoformat() if self.ends is not None else None,
            "path": str(self.path),
        }


def workshops() -> tuple[ListedWorkshop, ...]:
    """List all workshops that have a folder on this host, also damaged ones."""
    return tuple(_listed(WorkshopStore(name)) for name in workshop_names())


def _listed(store: WorkshopStore) -> ListedWorkshop:
    try:
        record, seats = store.read(), store.seats()
    except HostError:
        return ListedWorkshop(store.name, "damaged")
    if record is None:
        return ListedWorkshop(store.name, "damaged")
    counted = [one for one in seats.seats if not one.retired]
    return ListedWorkshop(
        name=store.name,
        state="closing" if record.is_closing else "open",
        seats=len(counted),
        ready=sum(one.ready for one in counted),
        ends=record.ends,
        path=record.path,
    )
