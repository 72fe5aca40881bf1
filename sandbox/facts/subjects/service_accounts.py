"""As whom each service runs, and the rights of its new files (umask)."""

import re

from sandbox.facts.kind import CannotReadError, Consequence, Reading, kind_of_machine
from sandbox.facts.part import FactsModel, ListPart
from sandbox.facts.shapes import Shape, rows
from sandbox.facts.subject import Facts, ProbeAnswer, Subject
from sandbox.facts.subjects.services import matters
from sandbox.probe.readers import name, plain, row

_UMASK = re.compile(r"[0-7]{3,4}")


class ServiceAccount(FactsModel):
    """A unit of systemd's, as its processes start."""

    unit: str
    user: str
    umask: str


class ServiceAccounts(ListPart[ServiceAccount]):
    """Every service that is loaded."""


def _check_row(line: str) -> None:
    unit, user, umask = row(line, "as whom a service runs", least=3, most=3)
    plain(unit, "a unit's name")
    plain(user, "a unit's user")
    name(umask, "a unit's umask", pattern=_UMASK)


def _parse(answer: ProbeAnswer) -> ServiceAccounts | None:
    section = answer.first("service-accounts")
    if section is None:
        return None
    found = [line.split("\t") for line in section.lines if line]
    return ServiceAccounts(
        tuple(ServiceAccount(unit=unit, user=user, umask=umask) for unit, user, umask in found)
    )


def _read(facts: Facts) -> Reading:
    accounts = facts.get(ServiceAccounts)
    if accounts is None:
        raise CannotReadError("there is no systemd")
    return {
        one.unit.removesuffix(".service"): f"{one.user}, umask {one.umask}"
        for one in accounts
        if matters(one.unit)
    }


SERVICE_ACCOUNTS = Subject(
    name="service_accounts",
    rank=82,
    part=ServiceAccounts,
    sections={"service-accounts": Shape(rows(_check_row))},
    parse=_parse,
    kinds=(
        kind_of_machine(
            "service-account",
            Consequence.ACCESS,
            45,
            title="as whom a service runs",
            how="exact",
            why="it may read and write what another account may, and others cannot read its files",
            bug="rstudio/shiny-server/issues/101",
            read=_read,
        ),
    ),
)
