"""The packages of the system: those that matter to R, and who installed them."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Literal

from sandbox.facts.compare import Value
from sandbox.facts.facts import NotSeen
from sandbox.facts.kind import CannotReadError, Consequence, Reading, kind_of_machine
from sandbox.facts.making import Change, Made, Making, Unsaid
from sandbox.facts.package_list import is_installed, is_told_elsewhere
from sandbox.facts.part import FactsModel, ListPart, ValuePart
from sandbox.facts.shapes import Shape, check_name, rows
from sandbox.facts.subject import Facts, ProbeAnswer, Subject
from sandbox.facts.subjects.objects import LinkedLibraries
from sandbox.facts.subjects.os import Os
from sandbox.facts.subjects.shiny import SeenShinyServer
from sandbox.probe.frame import Frame, Section
from sandbox.probe.readers import name, plain, row, version
from sandbox.spec.fits import fits
from sandbox.spec.texts import DebianPackage

# What decides how R works, whoever installed it
_MATTERS = re.compile(
    r"R|R-(core|devel|base|java).*|r-.+|shiny-server|rstudio-.+|pandoc|lib(blas|lapack|atlas)3?.*"
    r"|libopenblas.*|openblas.*|flexiblas.*|libicu[0-9]*|icu|fontconfig|fonts-.+|dejavu-.+|tzdata"
    r"|locales(-all)?|glibc-(langpack|locale).*|openjdk-.+|java-.+-openjdk.*|unixodbc.*|quarto"
    r"|ca-certificates|libcurl[34].*|libssl[0-9.]+|openssl.*|libxml2"
)
_HALVES = {"U": "unpacked", "F": "half-configured", "H": "half-installed"}
"""dpkg's second letter for a package that an installation which broke off has left."""
_MOST_HALVES = 10
_BUILT_IN = ("required", "important", "standard")

_DPKG_STATE = re.compile(r"[a-z][A-Za-z].?")

PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._~-]*")
# What boots and drives a machine of metal, or a virtual one, and a container does without
_BOOTING = re.compile(
    r"linux-(image|headers|modules|base|firmware).*|kernel.*|grub.*|shim.*|extlinux|syslinux.*"
    r"|initramfs-tools.*|dracut.*|efibootmgr|os-prober|cloud-.*|qemu-guest-agent|open-vm-tools"
    r"|virtualbox-guest.*|udev|dmsetup|lvm2|mdadm|parted|e2fsprogs|logsave|kmod|libkmod.*|cryptsetup.*"
    r"|intel-microcode|amd64-microcode|firmware-.*|ifupdown.*|isc-dhcp-.*|dhcpcd.*|klibc.*|busybox|zstd"
    r"|acpid|irqbalance|network-manager|netplan.*|cloud-guest-utils|fdisk|gdisk|locales-all"
)


class SystemPackage(FactsModel):
    """A package of the distribution that matters here: R, r-*, servers, BLAS, chosen ones."""

    name: str
    version: str
    manual: bool | None = None
    """Whether somebody asked for it, not just another package; None when not known."""


class SystemPackages(ListPart[SystemPackage]):
    """Those that matter here."""


Manager = Literal["dpkg", "rpm"]
"""What installs packages on a machine."""


class PackageManager(ValuePart[Manager]):
    """What installs packages on the machine."""


def _check_dpkg(line: str) -> None:
    state, package, has, *priority = row(line, "a package of dpkg's", least=3, most=4)
    name(state, "a package's state", pattern=_DPKG_STATE)
    name(package, "a package's name", pattern=PACKAGE)
    if is_installed(state) or has:
        version(has, "a package's version")
    for one in priority:
        plain(one, "a package's priority")


def _check_rpm(line: str) -> None:
    package, has = row(line, "a package of rpm's", least=2, most=2)
    name(package, "a package's name", pattern=PACKAGE)
    version(has, "a package's version")


def _parse(answer: ProbeAnswer) -> SystemPackages | None:
    found, _ = parse_system_packages(answer, (owner for _, owner in answer.linked or ()))
    return SystemPackages(found) if found is not None else None


def _manager(frame: Frame) -> PackageManager | None:
    if frame.first("rpm") is not None:
        return PackageManager("rpm")
    return PackageManager("dpkg") if frame.first("dpkg") is not None else None


def parse_system_packages(
    frame: Frame, owners: Iterable[str]
) -> tuple[tuple[SystemPackage, ...] | None, Manager | None]:
    """List the packages that matter: by their names, chosen by somebody, or linked to by R.

    Args:
        frame: the probe's answer.
        owners: of the libraries that R and its packages are linked to.
    """
    wanted = set(owners)
    if (section := frame.first("rpm")) is not None:
        rows = [line.split("\t") for line in section.lines]
        found = [
            SystemPackage(name=row[0], version=row[1])
            for row in rows
            if len(row) > 1 and (_MATTERS.fullmatch(row[0]) or row[0] in wanted)
        ]
        return tuple(sorted(found, key=lambda one: one.name)), "rpm"
    section = frame.first("dpkg")
    if section is None:
        return None, None
    return tuple(_from_dpkg(frame, section, wanted)), "dpkg"


def _from_dpkg(frame: Frame, section: Section, wanted: set[str]) -> Iterator[SystemPackage]:
    automatic = set(frame.lines("apt-auto")) if frame.first("apt-auto") is not None else None
    for line in section.lines:
        state, name, version, priority = (*line.split("\t"), "", "", "", "")[:4]
        if not is_installed(state):
            continue
        # Older answers listed only what matters, without a priority
        built_in = priority in _BUILT_IN
        manual = None if automatic is None else name not in automatic and not built_in
        if manual or not priority or name in wanted or _MATTERS.fullmatch(name):
            yield SystemPackage(name=name, version=version, manual=manual)


def half_installed(frame: Frame) -> tuple[NotSeen, ...]:
    """List the packages of which some is there and which dpkg does not count as installed."""
    rows = [(*line.split("\t"), "")[:2] for line in frame.lines("dpkg")]
    halves = [f"{name} is {_HALVES[state[1]]}" for state, name in rows if state[1:2] in _HALVES]
    if not halves:
        return ()
    more = len(halves) - _MOST_HALVES
    shown = [*halves[:_MOST_HALVES], *([f"{more} more"] if more > 0 else [])]
    why = f"{', '.join(shown)}: `sudo dpkg --configure -a` ends what was begun"
    return (NotSeen(what="packages that are not wholly installed", why=why),)


def server_packages(facts: Facts) -> Reading:
    """List R's servers and their versions."""
    found: dict[str, Value] = {}
    shiny = facts.get(SeenShinyServer)
    if shiny is not None:
        found["shiny-server"] = shiny.version or "unknown"
    for one in facts.get(SystemPackages) or ():
        if one.name.startswith("rstudio-"):
            found[one.name] = one.version
    return found


def system_packages(facts: Facts) -> Reading:
    """List the distribution's packages, without what boots a machine and what other kinds tell."""
    return _packages(facts, lambda name: not _BOOTING.fullmatch(name))


def booting(facts: Facts) -> Reading:
    """List the packages that boot and drive a machine, which a container does without."""
    names = frozenset(_packages(facts, lambda name: _BOOTING.fullmatch(name) is not None))
    return {"": names}


def _packages(facts: Facts, wanted: Callable[[str], bool]) -> Reading:
    packages = facts.get(SystemPackages)
    if packages is None:
        raise CannotReadError(facts.why("system packages") or "they were not listed")
    told = {one.package for one in facts.get(LinkedLibraries) or () if one.package}
    return {
        one.name: one.version
        for one in packages
        if wanted(one.name) and one.name not in told and not is_told_elsewhere(one.name)
    }


_FOR_R = re.compile(
    r".+-dev|pandoc|quarto|git|curl|make|gcc|g\+\+|gfortran|build-essential|cmake|cargo"
    r"|(default|openjdk)-.+|unixodbc|tdsodbc|odbc-.+|libsqliteodbc|fonts-.+|texlive.*|imagemagick"
    r"|ghostscript|gdal-bin|jags|chromium|nodejs|postgresql-client.*|default-mysql-client|sqlite3"
)
_BROUGHT = ("fonts-dejavu-core", "fonts-dejavu-mono", "fonts-mathjax", "r-base-dev")


def _makes(facts: Facts, making: Making) -> Iterator[Made]:
    """Debian packages that R's packages may need, and how many others somebody installed."""
    for_r, others_count = _chosen(facts)
    if for_r and making.base.name == f"{facts[Os].id}-{facts[Os].version}":
        yield Change(("system", "packages"), for_r)
    elif for_r:
        yield Unsaid(f"packages of {facts[Os].id}: {', '.join(for_r)}")
    if others_count:
        yield Unsaid(f"{others_count} packages of the system that do nothing for R")


def _chosen(facts: Facts) -> tuple[tuple[str, ...], int]:
    """Debian packages that R's packages may need, and how many others somebody installed."""
    chosen = [one.name for one in facts.get(SystemPackages) or () if one.manual]
    chosen = [name for name in dict.fromkeys(chosen) if fits(DebianPackage, name)]
    for_r = [name for name in chosen if _FOR_R.fullmatch(name) and name not in _BROUGHT]
    others = [name for name in chosen if not _FOR_R.fullmatch(name) and not name.startswith("r-")]
    return tuple(sorted(for_r)), len(others)


PACKAGES = Subject(
    name="system_packages",
    rank=140,
    part=SystemPackages,
    sections={
        "dpkg": Shape(rows(_check_dpkg)),
        "apt-auto": Shape(rows(check_name)),
        "rpm": Shape(rows(_check_rpm)),
    },
    parse=_parse,
    unseen=half_installed,
    kinds=(
        kind_of_machine(
            "server",
            Consequence.BEHAVIOUR,
            10,
            title="the version of a server",
            how="version",
            versions="system",
            why="settings and protections come and go between versions",
            bug="rstudio/shiny-server/issues/329",
            read=server_packages,
        ),
        kind_of_machine(
            "package",
            Consequence.BEHAVIOUR,
            80,
            title="a package of the system",
            how="version",
            versions="system",
            why="what R and its servers call behaves as its version does",
            bug="gagolews/stringi/issues/209",
            read=system_packages,
        ),
        kind_of_machine(
            "system.booting",
            Consequence.SURROUNDINGS,
            40,
            title="packages that boot a machine",
            how="set",
            why="a container has no kernel and no boot loader of its own",
            bug="futureverse/parallelly/issues/80",
            read=booting,
        ),
    ),
    makes=_makes,
)
MANAGER = Subject(name="package_manager", rank=145, part=PackageManager, parse=_manager)
