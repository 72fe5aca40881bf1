"""The form of a workshop file: a box, its seats, and what happens around them.

Who sits there is in a roster (sandbox.spec.roster); whether the parts fit is in
sandbox.spec.workshop_semantics. Docstrings of fields are for the reader of docs/workshop.md.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from sandbox.spec.misfit import misfit
from sandbox.spec.texts import (
    FileName,
    HomePath,
    HostName,
    HostPort,
    IpAddress,
    Moment,
    PlainName,
    Port,
    RemoteName,
    Text,
    UserName,
)
from sandbox.spec.values import Model

MOST_SEATS = 240
"""One bridge has 253 addresses; the rest is for spare seats and for seats that move."""

Megabytes = Annotated[int, Field(ge=64, le=4 * 1024 * 1024)]


class SeatLimits(Model):
    """The most that one seat may use; what is not said is the box's."""

    cpus: Annotated[int, Field(ge=1, le=256)] | None = None
    """Processors."""
    memory_mb: Annotated[int, Field(ge=256, le=4 * 1024 * 1024)] | None = None
    """Memory, in MB. A seat gets no swap: one that needs more loses a process, and no other seat
    becomes slow."""
    processes: Annotated[int, Field(ge=100, le=100_000)] = 2000
    """Processes and threads."""
    disk_gb: Annotated[int, Field(ge=1, le=64 * 1024)] | None = None
    """Disk, in GB."""


class HandOut(Model):
    """Files that each seat gets."""

    path: FileName
    """A file or a folder, relative to the workshop file; a folder goes with its name."""
    to: HomePath = "."
    """The folder in the home of each seat."""


class Exercise(Model):
    """One exercise: what holds when somebody has done it."""

    name: PlainName
    """Its name in the table of who is how far."""
    check: FileName
    """A file of testinfra tests, as in a box; all of them hold when the exercise is done."""


class Names(Model):
    """The host names of the seats: `seat07.DOMAIN`."""

    domain: HostName = "localhost"
    """A domain whose names all lead to this host: of your own DNS (`class.example.org`), of a
    service that answers with the address in the name (`192.0.2.7.nip.io`), or `localhost` for one
    laptop."""


class Tls(Model):
    """The certificate for all seats' names, as `*.class.example.org`."""

    certificate: FileName
    """A PEM file with the whole chain."""
    key: FileName
    """The PEM file of its private key; it stays on this host."""


class Listen(Model):
    """Where this host answers for all seats."""

    address: IpAddress = "127.0.0.1"
    """Only this host reaches 127.0.0.1; a class needs the address of the room's network."""
    port: Port = 8080
    """The proxy of the seats, and the page where learners claim one."""
    page_port: Port = 8090
    """The trainer's page: on 127.0.0.1 unless `page_address` says otherwise."""
    page_address: IpAddress = "127.0.0.1"


class Copies(Model):
    """How the homes of the seats are kept, so that no work is lost with a machine."""

    every_s: Annotated[int, Field(ge=30, le=3600)] = 90
    """Seconds from one copy of a home to the next."""
    max_mb: Annotated[int, Field(ge=1, le=100_000)] = 200
    """A home with more than this is not copied, and the trainer's page says so."""
    seats: bool = False
    """Also keep a copy of each whole seat on another member of the cluster (`incus copy
    --refresh`): when a member is lost, what was installed or changed outside the homes comes back,
    too. It needs a cluster whose pool is btrfs or zfs."""
    seats_every_s: Annotated[int, Field(ge=60, le=24 * 3600)] = 600
    """Seconds from one copy of a whole seat to the next."""


class Workshop(Model):
    """A workshop file."""

    version: Literal[1]
    """The version of this format: 1."""
    extends: FileName | None = None
    """Another workshop file; what this one says itself wins, key by key."""
    description: Text = ""
    """The class, on the learners' slips and on the pages."""
    box: FileName | None = None
    """The box of every seat: a file, or the name of one of our own."""
    seats: Annotated[int, Field(ge=1, le=MOST_SEATS)] | None = None
    """How many; or else a roster."""
    roster: FileName | None = None
    """A CSV file with the columns `name` and, if you like, `email`: a seat for each person."""
    spare: Annotated[int, Field(ge=0, le=MOST_SEATS)] | None = None
    """Seats that are ready and given to nobody yet: one in ten, at least 2, when left out."""
    user: UserName = "learner"
    """The account in every seat. All have one name, so that a seat can be made before its person is
    known."""
    limits: SeatLimits = SeatLimits()
    work_mb: Megabytes = 1024
    """The memory that a seat needs while people work, in MB; `plan` counts with it."""
    files: Annotated[tuple[HandOut, ...], Field(max_length=100)] = ()
    exercises: Annotated[tuple[Exercise, ...], Field(max_length=100)] = ()
    starts: Moment | None = None
    """When the class begins, with its offset: 2026-12-01T09:00+01:00."""
    ends: Moment | None = None
    """When it ends; the pages warn before, and nothing is removed by itself."""
    names: Names = Names()
    tls: Tls | None = None
    """Without a certificate all passwords and pages cross the room's network unencrypted: for a
    closed network only."""
    listen: Listen = Listen()
    remotes: Annotated[tuple[RemoteName, ...], Field(max_length=100)] = ()
    """Incus servers that `incus remote list` knows, of one cluster: the first that answers is
    asked. None: this host."""
    copies: Copies = Copies()
    may_reach: Annotated[tuple[HostPort, ...], Field(max_length=100)] = ()
    """Servers that seats may reach, `mirror.example.org:443`: a mirror of packages, a licence
    server. All else is closed, but for the names that the network's own DNS knows."""

    @model_validator(mode="after")
    def _names_are_one(self) -> Self:
        seen: set[str] = set()
        for exercise in self.exercises:
            if exercise.name in seen:
                raise misfit("exercises", f"two exercises are called `{exercise.name}`")
            seen.add(exercise.name)
        if self.listen.port == self.listen.page_port:
            raise misfit("listen", "the seats and the trainer's page have one port", "Choose two")
        return self

    def spare_for(self, seats: int) -> int:
        """Return how many spare seats there are for so many people."""
        return self.spare if self.spare is not None else max(2, -(-seats // 10))
