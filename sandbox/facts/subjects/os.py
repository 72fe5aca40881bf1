"""The operating system: its release, its kernel, and what the machine runs in."""

import re

from sandbox.facts.kind import Consequence, Reading, kind_of_machine
from sandbox.facts.part import FactsPart
from sandbox.facts.shapes import MOST_LINES, WORDS, Shape
from sandbox.facts.subject import Facts, Hashes, ProbeAnswer, Stated, Subject
from sandbox.facts.subjects.locale import assignments
from sandbox.plan import Plan
from sandbox.probe.frame import Section
from sandbox.probe.readers import MalformedError, name, word

_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*", re.DOTALL)


class Os(FactsPart):
    """The operating system, by /etc/os-release and uname."""

    id: str
    """`debian`"""
    version: str
    """VERSION_ID: `12`"""
    codename: str
    """`bookworm`"""
    name: str
    """PRETTY_NAME"""
    kernel: str
    arch: str
    """As uname says: `x86_64`"""
    virtualization: str | None = None
    """As systemd-detect-virt says: `lxc`, `kvm`, `oracle`, `none`."""
    libc: str | None = None
    """`glibc 2.36`"""
    selinux: str | None = None
    """Enforcing, Permissive, Disabled; None where there is none."""


def _os_release(section: Section) -> None:
    names = set()
    for line in section.lines:
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name(text.partition("=")[0], "NAME=value", pattern=WORDS)
        if not _ASSIGNMENT.fullmatch(text):
            raise MalformedError("NAME=value")
        names.add(text.partition("=")[0])
    if section.lines and "ID" not in names:
        raise MalformedError("the system's ID")


def _uname(section: Section) -> None:
    kernel, arch, *more = section.args
    name(kernel, "the kernel's release")
    name(arch, "the architecture", pattern=WORDS)
    if len(more) > 1:
        word(more[1], "SELinux", of=("", "Enforcing", "Permissive", "Disabled"))


def _virtualization(section: Section) -> None:
    if section.args[0]:
        name(section.args[0], "the virtualization", pattern=WORDS)


def _parse(answer: ProbeAnswer) -> Os:
    release = assignments(answer.lines("os-release"))
    kernel, arch, libc, selinux = answer.args("uname", 4)
    (virtualization,) = answer.args("virtualization", 1)
    return Os(
        id=release.get("ID", ""),
        version=release.get("VERSION_ID", ""),
        codename=release.get("VERSION_CODENAME", ""),
        name=release.get("PRETTY_NAME", ""),
        kernel=kernel,
        arch=arch,
        virtualization=virtualization or None,
        libc=libc or None,
        selinux=selinux or None,
    )


def release(facts: Facts) -> Reading:
    """Return the distribution and its release: `debian 12 (bookworm)`."""
    found = facts[Os]
    name = f"{found.id} {found.version}".strip()
    return {"": f"{name} ({found.codename})" if found.codename else name}


def arch(facts: Facts) -> Reading:
    """Return the processor's architecture."""
    return {"": facts[Os].arch}


def kernel(facts: Facts) -> Reading:
    """Return the kernel's version."""
    return {"": facts[Os].kernel}


def virtualization(facts: Facts) -> Reading:
    """Name what the machine runs in."""
    found = facts[Os].virtualization
    return {"": found} if found else {}


def libc(facts: Facts) -> Reading:
    """Return the C library."""
    found = facts[Os].libc
    return {"": found} if found else {}


def selinux(facts: Facts) -> Reading:
    """Return SELinux's mode; a machine without it is like one where it is off."""
    return {"": (facts[Os].selinux or "off").lower().replace("disabled", "off")}


def _stated(plan: Plan, _: Hashes) -> Stated:
    name = plan.base.name.replace("-", " ", 1)
    return {"system.release": {"": f"{name} ({plan.base.suite})"}}


OS = Subject(
    name="os",
    rank=20,
    part=Os,
    required=True,
    sections={
        "os-release": Shape(_os_release, lines=MOST_LINES),
        "uname": Shape(_uname, (2, 4), required=True),
        "virtualization": Shape(_virtualization, (1, 1)),
    },
    parse=_parse,
    kinds=(
        kind_of_machine(
            "system.release",
            Consequence.FAILS,
            210,
            title="the operating system",
            how="exact",
            why="other libraries lie under every package: what was built for one may "
            "not load on the other",
            bug="xrobin/pROC/issues/93",
            read=release,
        ),
        kind_of_machine(
            "system.libc",
            Consequence.FAILS,
            220,
            title="the C library",
            how="exact",
            why="what was built on the newer one does not load on the older",
            bug="libKriging/libKriging/issues/106",
            read=libc,
        ),
        kind_of_machine(
            "system.selinux",
            Consequence.FAILS,
            230,
            title="SELinux",
            how="exact",
            why="where it is enforcing, RStudio Server may not start sessions",
            bug="rstudio/rstudio/issues/4937",
            read=selinux,
        ),
        kind_of_machine(
            "system.arch",
            Consequence.SURROUNDINGS,
            10,
            title="the processor's architecture",
            how="exact",
            why="compiled packages are other ones, and floating point may differ in the last digit",
            bug="rocker-org/rocker-versioned2/issues/144",
            read=arch,
        ),
        kind_of_machine(
            "system.virtualization",
            Consequence.SURROUNDINGS,
            20,
            title="what the machine runs in",
            how="exact",
            why="a container shares its host's kernel, limits and clock; a virtual "
            "machine has its own",
            bug="rocker-org/rocker-versioned/issues/89",
            read=virtualization,
        ),
        kind_of_machine(
            "system.kernel",
            Consequence.SURROUNDINGS,
            30,
            title="the kernel",
            how="exact",
            why="rarely seen from R; what counts processors and memory depends on it",
            bug="futureverse/parallelly/issues/80",
            read=kernel,
        ),
    ),
    stated=_stated,
)
