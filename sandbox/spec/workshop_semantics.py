"""Checks beyond the model of a workshop: its files, its people, its times, its certificate."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from sandbox.plain_file import NotPlainError, not_a_file, read_plain
from sandbox.spec.certificate import MAX_PEM_BYTES, certificates_in
from sandbox.spec.problem import Problem, code, short
from sandbox.spec.root import Root, real
from sandbox.spec.roster import Person
from sandbox.spec.source import Value
from sandbox.spec.workshop import MOST_SEATS, Workshop

_ANY_ADDRESS: Final = ("0.0.0.0", "::")  # noqa: S104  (what a user may write, not what we do)


@dataclass(frozen=True)
class WorkshopContext:
    """A workshop to check. Values that the model refused are in `said`, but no longer in it."""

    workshop: Workshop
    top: Value
    """The values of `workshop`."""
    said: Value
    """All values of the file."""
    complete: bool
    """False when a file that it extends is missing: then nothing can be called absent."""
    root: Root
    """The folder that the workshop may read."""
    people: tuple[Person, ...] = ()

    def at(self, *loc: str | int) -> Value:
        """Return the value at `loc`, or the nearest one."""
        return self.top.nearest(loc)

    def absent(self, key: str) -> bool:
        """Tell whether the file, with all it extends, says nothing about `key`."""
        value = self.said.get(key)
        return self.complete and (value is None or value.content is None)


def problems_of(context: WorkshopContext) -> list[Problem]:
    """List what is wrong beyond the model."""
    rules: tuple[Callable[[WorkshopContext], Iterator[Problem]], ...] = (
        _box,
        _seats,
        _files,
        _times,
        _names,
        _tls,
    )
    return [problem for rule in rules for problem in rule(context)]


def _box(context: WorkshopContext) -> Iterator[Problem]:
    if context.absent("box"):
        message = "`box` is missing: every seat is made from a box"
        yield context.said.problem(message, "Add `box: rstudio`, or the path of a box of your own")


def _seats(context: WorkshopContext) -> Iterator[Problem]:
    workshop = context.workshop
    if context.absent("seats") and context.absent("roster"):
        message = "nobody says how many seats there are"
        yield context.said.problem(message, "Add `seats: 12`, or `roster: people.csv`")
    if workshop.seats is not None and workshop.roster is not None:
        message = "a roster has a seat for each person, and `seats` is another number"
        cure = "Leave out `seats`; more places for people without a name are `spare`"
        yield context.at("seats").problem(message, cure)
    count = workshop.seats if workshop.roster is None else len(context.people)
    if count and (total := count + workshop.spare_for(count)) > MOST_SEATS:
        key = "roster" if workshop.seats is None else "seats"
        message = f"{count} seats and {total - count} spare ones are more than {MOST_SEATS}"
        yield context.at(key).problem(message, "Make two workshops")


def _files(context: WorkshopContext) -> Iterator[Problem]:
    for index, _ in enumerate(context.workshop.files):
        value = context.at("files", index, "path")
        if (refusal := context.root.refusal(value)) is not None:
            yield refusal
        elif not real(value.as_path()).exists():
            yield value.problem(f"nothing to hand out at {code(value.raw)}: it is not there")
    for index, _ in enumerate(context.workshop.exercises):
        value = context.at("exercises", index, "check")
        if (refusal := context.root.refusal(value)) is not None:
            yield refusal
        elif (wrong := not_a_file(value.as_path())) is not None:
            yield value.problem(f"no check at {code(value.raw)}: {wrong}")


def _times(context: WorkshopContext) -> Iterator[Problem]:
    found: dict[str, datetime] = {}
    for key in ("starts", "ends"):
        said = getattr(context.workshop, key)
        if said is None:
            continue
        try:
            found[key] = datetime.fromisoformat(said)
        except ValueError:
            yield context.at(key).problem(f"there is no such moment: {code(said)}")
    if len(found) == 2 and found["ends"] <= found["starts"]:  # noqa: PLR2004  (both were given)
        yield context.at("ends").problem("it ends before it starts")


def _names(context: WorkshopContext) -> Iterator[Problem]:
    listen, domain = context.workshop.listen, context.workshop.names.domain
    is_local = domain == "localhost" or domain.endswith(".localhost")
    if is_local and listen.address not in {"127.0.0.1", "::1"}:
        message = f"others would be sent to their own machine by names below {code(domain)}"
        cure = f"Name a domain of the room's DNS, or `domain: {listen.address}.nip.io`"
        if listen.address in _ANY_ADDRESS:
            cure = "Name a domain of the room's DNS"
        yield context.at("names").problem(message, cure)


def _tls(context: WorkshopContext) -> Iterator[Problem]:
    if context.workshop.tls is None:
        return
    for key in ("certificate", "key"):
        value = context.at("tls", key)
        if (refusal := context.root.refusal(value)) is not None:
            yield refusal
        elif (wrong := _why_no_pem(value.as_path(), is_key=key == "key")) is not None:
            yield value.problem(f"no {key} at {code(value.raw)}: {wrong}")


def _why_no_pem(path: Path, *, is_key: bool) -> str | None:
    try:
        data = read_plain(path, max_bytes=MAX_PEM_BYTES)
    except NotPlainError as error:
        return str(error)
    if is_key and b"PRIVATE KEY-----" not in data:
        return f"{short(path)} holds no private key in PEM format"
    if not is_key and not certificates_in(data):
        return "it is not in PEM format (no `-----BEGIN CERTIFICATE-----`)"
    return None
