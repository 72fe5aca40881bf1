"""What a workshop was when it was opened: saved, so that later commands need no file but this."""

from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from sandbox.placement import Placement
from sandbox.spec.workshop import Workshop


class HandedOut(BaseModel):
    """Files that every seat gets, as they were when the workshop was opened or they were pushed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    archive: str
    """The tar archive in the workshop's folder `files/`."""
    to: str
    """The folder in each home."""
    seats: tuple[int, ...] = ()
    """Only these seats get it; all when empty."""


class AgreedCheck(BaseModel):
    """An exercise's check, with the very bytes that somebody agreed to run on this host."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    exercise: str
    file: str
    """Its copy in the workshop's folder `checks/`."""
    sha256: str


class WorkshopRecord(BaseModel):
    """A workshop that is open."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    name: str
    path: Path
    """The workshop file, absolute."""
    workshop: Workshop
    placement: Placement
    """The plan of every seat, with the seat's size, under the name of the model machine."""
    image_key: str = ""
    """The key of the baked image; empty until there is one."""
    remote: str
    """The provider's remote that carries it; `local` for this host."""
    certificate: Path | None = None
    key: Path | None = None
    """The files of the certificate, absolute; they stay where they are."""
    handed_out: tuple[HandedOut, ...] = ()
    checks: tuple[AgreedCheck, ...] = ()
    opened_at: datetime
    ends: datetime | None = None
    """When it ends, with what `extend` has added."""
    resting: tuple[str, ...] = ()
    """Servers that were emptied: they get no new seats, until `up` says otherwise."""
    is_closing: bool = False
    """`down` has begun: nothing may make a seat any more."""
