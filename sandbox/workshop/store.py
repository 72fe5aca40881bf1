"""The folder of a workshop on this host: its record, the seat map, secrets, copies of homes.

`$XDG_STATE_HOME/sandbox/workshops/NAME/`:

    workshop.json      the record (sandbox.workshop.record)
    seats.json         the seat map: whose seat it is, and which machine serves it
    secrets.json       the secrets of seats and of the trainer's page
    id_ed25519         the key for the checks of exercises
    files/ checks/     what is handed out, and what is run
    homes.json         how old the copies of homes are, and why there is no newer one
    replicas.json      which copies of whole seats are whole, and since when
    exercises.json     who is how far
    homes/             the newest copy of each home: seat07.tar; and older ones that were set aside
    nginx/ logs/       the proxy's files, and what the keeper said

Every change of the map is read, made and written under one short lock: commands, the keeper and the
pages work on it side by side.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

from sandbox.errors import UsageError
from sandbox.files import private_folder, write_whole
from sandbox.locks import Lock, hold, hold_now, lock_path
from sandbox.paths import state_dir
from sandbox.saved import KnownFiles, Model, read_saved
from sandbox.workshop.names import seat_word
from sandbox.workshop.record import WorkshopRecord
from sandbox.workshop.seat_map import Seat, SeatMap
from sandbox.workshop.seat_secret import new_secret

_FOLDER: Final = "workshops"


class WorkshopSecrets(BaseModel):
    """The secrets of a workshop; only its folder has them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    trainer: str
    """Opens the trainer's page."""
    seats: Mapping[int, str] = {}
    """By the number of the seat."""

    def __repr__(self) -> str:
        """Without a secret: it must not get into a log by accident."""
        return f"WorkshopSecrets({len(self.seats)} seats)"


class WorkshopStore:
    """The folder of one workshop."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.folder = state_dir() / _FOLDER / name
        self._files = KnownFiles()

    def part(self, *names: str) -> Path:
        """Return a private folder below this one, made where it is missing."""
        return private_folder(self.folder.joinpath(*names), state_dir())

    def exists(self) -> bool:
        """Tell whether anything of the workshop is on this host."""
        return self.folder.is_dir()

    def read(self) -> WorkshopRecord | None:
        """Read the record; None when the workshop is not open here.

        Raises:
            BrokenFileError: it is damaged.
        """
        return self._known("workshop.json", WorkshopRecord, "record")

    def saved(self, name: str, model: type[Model]) -> Model | None:
        """Read a file of the folder, only when it has changed since; None when it is not there.

        Raises:
            BrokenFileError: it is damaged.
        """
        return self._files.read(self.folder / name, model)

    def _known(self, name: str, model: type[Model], what: str) -> Model | None:
        return self._files.read(
            self.folder / name,
            model,
            message=f"the {what} of the workshop {self.name} cannot be read",
            hint=f"sandbox workshop down {self.name}",
        )

    def require(self) -> WorkshopRecord:
        """Read the record of a workshop that must be open.

        Raises:
            UsageError: it is not open here.
            BrokenFileError: its record is damaged.
        """
        record = self.read()
        if record is None:
            raise UsageError(
                f"no workshop {self.name} is open on this host",
                details=f"open ones: {', '.join(workshop_names()) or 'none'}",
                hint=f"sandbox workshop up {self.name}.workshop.yml",
            )
        return record

    def write(self, record: WorkshopRecord) -> None:
        """Save the record, whole or not at all."""
        write_whole(self.part() / "workshop.json", record.model_dump_json(indent=1))

    def change_record(self, how: Callable[[WorkshopRecord], WorkshopRecord]) -> WorkshopRecord:
        """Change the record, with nobody else at it meanwhile; return the new one.

        Raises:
            UsageError, BrokenFileError: as in `require`.
        """
        with self.hold("record"):
            before = self.require()
            after = how(before)
            if after != before:
                self.write(after)
            return after

    def seats(self) -> SeatMap:
        """Read the seat map; an empty one before there is any.

        Raises:
            BrokenFileError: it is damaged.
        """
        return self._known("seats.json", SeatMap, "seat map") or SeatMap(workshop=self.name)

    def change(self, how: Callable[[SeatMap], SeatMap]) -> SeatMap:
        """Change the seat map, with nobody else at it meanwhile; return the new one.

        `how` must be quick: everybody waits for it.
        """
        with self.hold("map"):
            before = self.seats()
            after = how(before)
            if after != before:
                write_whole(self.part() / "seats.json", after.model_dump_json(indent=1))
            return after

    def change_seat(self, number: int, how: Callable[[Seat], Seat]) -> Seat:
        """Change one seat of the map, as `change` does; return the new seat.

        Raises:
            KeyError: there is no such seat.
        """
        return self.change(lambda seats: seats.with_seat(how(seats.seat(number)))).seat(number)

    def secrets(self) -> WorkshopSecrets:
        """Read the secrets, or make the trainer's where there are none yet."""
        with self.hold("secrets"):
            return self._secrets()

    def secret_of(self, number: int) -> str:
        """Return the secret of a seat; it is made when it is first asked for."""
        with self.hold("secrets"):
            found = self._secrets()
            if number not in found.seats:
                seats = {**found.seats, number: new_secret()}
                found = found.model_copy(update={"seats": seats})
                self._keep(found)
            return found.seats[number]

    def new_secret_of(self, number: int) -> str:
        """Replace the secret of a seat, for another person; return the new one."""
        with self.hold("secrets"):
            found = self._secrets()
            seats = {**found.seats, number: new_secret()}
            self._keep(found.model_copy(update={"seats": seats}))
            return seats[number]

    def _secrets(self) -> WorkshopSecrets:
        found = read_saved(
            self.folder / "secrets.json",
            WorkshopSecrets,
            message=f"the secrets of the workshop {self.name} cannot be read",
            hint=f"sandbox workshop down {self.name}",
        )
        if found is None:
            found = WorkshopSecrets(trainer=new_secret())
            self._keep(found)
        return found

    def _keep(self, secrets: WorkshopSecrets) -> None:
        write_whole(self.part() / "secrets.json", secrets.model_dump_json())

    @contextmanager
    def working(self, number: int, *, on_wait: Callable[[], None] | None = None) -> Iterator[None]:
        """Hold a seat: only one command makes, moves or resets its machine at a time."""
        with self.hold(seat_word(number), on_wait=on_wait):
            yield

    def hold(self, what: str, *, on_wait: Callable[[], None] | None = None) -> Lock:
        """Hold a lock of the workshop (`up`, `map`), as soon as nobody else does."""
        return hold(self._lock(what), of=self.folder, on_wait=on_wait)

    def hold_now(self, what: str) -> Lock:
        """Hold a lock of the workshop (`up`, `keeper`) without waiting.

        Raises:
            HeldError: somebody else holds it.
        """
        return hold_now(self._lock(what), of=self.folder)

    def _lock(self, what: str) -> Path:
        return lock_path(f"workshop.{self.name}.{what}")

    def home_of(self, number: int) -> Path:
        """Return the place of the newest copy of a seat's home."""
        return self.part("homes") / f"{seat_word(number)}.tar"

    def remove(self) -> None:
        """Remove the folder, and all locks of the workshop."""
        shutil.rmtree(self.folder, ignore_errors=True)
        for path in lock_path("any").parent.glob(f"workshop.{self.name}.*.lock"):
            path.unlink(missing_ok=True)


def workshop_names() -> list[str]:
    """List the names of all workshops that have a folder on this host, sorted."""
    folder = state_dir() / _FOLDER
    if not folder.is_dir():
        return []
    return sorted(one.name for one in folder.iterdir() if one.is_dir() and one.name.isprintable())
