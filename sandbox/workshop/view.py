"""What the trainer sees of a workshop, on the page and in `workshop status`."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class SeatState(StrEnum):
    """How a seat is, in one word."""

    READY = "ready"
    """Its servers answer at its address."""
    STARTING = "starting"
    """Its machine is being made or started."""
    OFF = "off"
    """Its machine is stopped, or not there."""
    LOST = "lost"
    """The member that carries it does not answer."""


class SeatLook(BaseModel):
    """What was seen inside a seat when somebody last looked."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at: datetime
    active_at: datetime | None = None
    """When its person last did something: typed, ran, saved."""
    error: str = ""
    """The last error that R or an app said."""
    error_at: datetime | None = None
    home_mb: int | None = None


class ExerciseResult(BaseModel):
    """How an exercise's check ended in a seat."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    holds: bool | None
    """None: the check itself could not be run."""
    words: str = ""
    """What is missing, in the check's own words."""
    at: datetime


class SeatView(BaseModel):
    """One seat, as the trainer sees it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: int
    word: str
    """`seat07`."""
    url: str
    name: str
    """The person; empty for a spare seat."""
    email: str = ""
    is_spare: bool
    is_claimed: bool
    """Whether a browser has claimed it."""
    retired: bool = False
    state: SeatState
    member: str = ""
    machine: str = ""
    """The machine that serves it now."""
    cpu_percent: float | None = None
    """Of one processor, since the look before; None when that is not known."""
    memory_mb: int | None = None
    memory_limit_mb: int
    disk_mb: int | None = None
    processes: int | None = None
    look: SeatLook | None = None
    exercises: Mapping[str, ExerciseResult] = {}
    home_saved_at: datetime | None = None
    replica_at: datetime | None = None
    """The whole seat was copied to another server as it was then; None: there is no such copy."""
    replica_on: str = ""
    """That server."""
    asked_at: datetime | None = None
    """When its person asked for help, until the trainer has been there."""


class MemberView(BaseModel):
    """A server, as the trainer sees it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    online: bool
    seats: int
    """How many seats it serves now."""
    trouble: str = ""


class WorkshopView(BaseModel):
    """The whole workshop at one moment."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    title: str
    at: datetime
    seats: tuple[SeatView, ...]
    """In the order of their numbers."""
    members: tuple[MemberView, ...]
    exercises: tuple[str, ...]
    ends: datetime | None
    claim_url: str
    keeper_runs: bool
    """Whether homes are being copied and members watched."""
    has_replicas: bool = False
    """Whether whole seats are to be copied to other servers, too."""
    notices: tuple[str, ...] = ()
    """What the trainer must know, the worst first."""
