"""What is usable here and why not, for every provider, with the command that mends it."""

import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from sandbox.errors import SandboxError
from sandbox.providers import Registry
from sandbox.providers.findings import Finding, HostReport
from sandbox.providers.members import HasMembers, Member
from sandbox.providers.place import Place
from sandbox.providers.provider import Provider


@dataclass(frozen=True)
class Diagnosis:
    """Every provider's report, and the provider that would be used."""

    reports: tuple[HostReport, ...]
    default: str | None
    reason: str
    """Why that provider, or why none."""


def diagnose(
    place: Place,
    chosen: str | None = None,
    providers: Mapping[str, Provider] | None = None,
    *,
    seats: int | None = None,
) -> Diagnosis:
    """Look at every provider; `chosen` (by option or environment) comes before the usual order.

    With `seats`, also whether each server can carry so many seats of a workshop.

    Raises:
        HostError: this host cannot be read at all.
    """
    asked = Registry() if providers is None else providers
    portable = [name for name, one in asked.items() if not one.linux_only]
    reports = {name: _report(one, place, portable) for name, one in asked.items()}
    default, reason = choose_default(reports, chosen)
    if seats is not None:
        # A class that does not fit is no reason to take another provider
        for name, one in asked.items():
            if reports[name].usable and isinstance(one, HasMembers):
                more = tuple(seat_findings(one, place, seats))
                reports[name] = replace(reports[name], findings=(*reports[name].findings, *more))
    return Diagnosis(tuple(reports.values()), default, reason)


def choose_default(reports: Mapping[str, HostReport], chosen: str | None) -> tuple[str | None, str]:
    """Choose the provider, and say why: the first sound one, unless the user chose."""
    if chosen is not None:
        return chosen, "you chose it"
    passed: list[str] = []
    for name, report in reports.items():
        if report.sound:
            others = f" ({', '.join(passed)}, which would come first, not)" if passed else ""
            return name, f"it is usable here{others}"
        passed.append(name)
    return None, "none is usable here yet; the findings above say what is missing"


def _report(provider: Provider, place: Place, portable: list[str]) -> HostReport:
    if not provider.linux_only or platform.system() == "Linux":
        return provider.report(place)
    finding = Finding(
        ok=False,
        title=f"{provider.name} is there",
        detail=f"it runs on Linux only, and this is {platform.system()}",
        fix=f"use {' or '.join(portable)} here",
    )
    return HostReport(provider.name, (finding,))


def seat_findings(provider: HasMembers, place: Place, seats: int) -> Iterator[Finding]:
    """Find out for each server whether it alone could carry so many seats."""
    try:
        members = provider.members(place)
    except SandboxError as error:
        detail = error.details or error.message
        yield Finding(ok=False, title="the servers can be asked", detail=detail, fix=error.hint)
        return
    for member in members:
        yield from _of_member(member, seats)


def _of_member(member: Member, seats: int) -> Iterator[Finding]:
    from sandbox.workshop.arithmetic import HOST_MB, IDLE_MB, SEAT_DISK_MB, low_limits

    if not member.online:
        yield Finding(ok=False, title=f"{member.name} is online", detail="it is not")
        return
    words = f"for {seats} seats"
    for what, has, needed, unit in (
        ("memory", member.memory_mb, HOST_MB + seats * IDLE_MB, " MB"),
        ("disk", member.disk_mb, seats * SEAT_DISK_MB, " MB"),
        ("addresses", member.addresses, seats, ""),
    ):
        yield Finding(
            ok=has >= needed,
            title=f"{member.name} has {what} {words}",
            detail=f"{needed}{unit} needed before anybody works, {has}{unit} free",
            fix=""
            if has >= needed
            else "fewer seats, or another server; see: sandbox workshop plan",
        )
    title = f"the kernel of {member.name} has room {words}"
    if not member.limits:
        detail = "its limits cannot be read from here"
        fix = f"there: sandbox doctor --seats {seats}"
        yield Finding(ok=False, warning=True, title=title, detail=detail, fix=fix)
        return
    low = low_limits(member, seats)
    detail = ", ".join(f"{one.name} is {one.value}, needed {one.needed}" for one in low)
    fix = "sudo sysctl " + " ".join(f"{one.name}={one.needed}" for one in low) if low else ""
    yield Finding(ok=not low, title=title, detail=detail, fix=fix)
