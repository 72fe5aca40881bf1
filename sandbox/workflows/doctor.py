"""What is usable here and why not, for every provider, with the command that mends it."""

import platform
from dataclasses import dataclass

from sandbox.providers.findings import Finding, HostReport
from sandbox.providers.incus.docker_firewall import docker_finding
from sandbox.providers.incus.doctor import incus_findings
from sandbox.providers.incus.host_setup import Situation, look
from sandbox.providers.incus.place import IncusPlace
from sandbox.providers.libvirt import doctor as libvirt
from sandbox.providers.virtualbox import doctor as virtualbox
from sandbox.providers.virtualbox import installation as virtualbox_look

PREFERRED = ("virtualbox", "incus", "libvirt")
"""The first usable one is taken when nobody chose."""


@dataclass(frozen=True)
class Diagnosis:
    """Every provider's report, and what would be used."""

    reports: tuple[HostReport, ...]
    default: str | None
    reason: str
    """Why that one, or why none."""


def host_report(place: IncusPlace) -> HostReport:
    """Whether Incus is ready here, read without changing anything, in well under two seconds.

    Raises:
        HostError: this host cannot be read at all.
    """
    return _incus_report(place, look(place))


def diagnose(place: IncusPlace, chosen: str | None = None) -> Diagnosis:
    """Look at every provider; `chosen` (by option or environment) counts before the usual order.

    Raises:
        HostError: this host cannot be read at all.
    """
    box_report = virtualbox.report(virtualbox_look.gather())
    if platform.system() != "Linux":
        others = {name: _linux_only(name) for name in PREFERRED if name != "virtualbox"}
        by_name = {"virtualbox": box_report, **others}
        default, reason = choose_default(by_name, chosen)
        return Diagnosis(tuple(by_name.values()), default, reason)
    now = look(place)
    by_name = {
        "virtualbox": box_report,
        "incus": _incus_report(place, now),
        "libvirt": libvirt.report(libvirt.gather(), now.host, place.pool),
    }
    default, reason = choose_default(by_name, chosen)
    return Diagnosis(tuple(by_name.values()), default, reason)


def choose_default(reports: dict[str, HostReport], chosen: str | None) -> tuple[str | None, str]:
    """The provider that would be used, and why."""
    if chosen is not None:
        return chosen, "you chose it"
    for name in PREFERRED:
        if reports[name].sound:
            passed = PREFERRED[: PREFERRED.index(name)]
            others = f" ({', '.join(passed)}, which would come first, not)" if passed else ""
            return name, f"it is usable here{others}"
    return None, "none is usable here yet; the findings above say what is missing"


def _linux_only(provider: str) -> HostReport:
    title = f"{provider} is there"
    detail = f"it runs on Linux only, and this is {platform.system()}"
    fix = "use virtualbox here"
    return HostReport(provider, (Finding(ok=False, title=title, detail=detail, fix=fix),))


def _incus_report(place: IncusPlace, now: Situation) -> HostReport:
    findings = incus_findings(place, now)
    if place.is_local:
        findings += (docker_finding(place.network, now.host, now.docker),)
    return HostReport("incus", findings)
