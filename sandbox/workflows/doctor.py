"""What is usable here and why not, for every provider, with the command that mends it."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.providers import Registry
from sandbox.providers.findings import Finding, HostReport
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
    place: Place, chosen: str | None = None, providers: Mapping[str, Provider] | None = None
) -> Diagnosis:
    """Look at every provider; `chosen` (by option or environment) comes before the usual order.

    Raises:
        HostError: this host cannot be read at all.
    """
    asked = Registry() if providers is None else providers
    portable = [name for name, one in asked.items() if not one.linux_only]
    reports = {name: _report(one, place, portable) for name, one in asked.items()}
    default, reason = choose_default(reports, chosen)
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
