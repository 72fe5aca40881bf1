"""Doctor's findings about VirtualBox and the Vagrant that would drive it."""

import re
from dataclasses import dataclass
from pathlib import Path

from sandbox.engines.base import Finding, HostReport
from sandbox.errors import CommandError
from sandbox.host.facts import HostFacts, find_command
from sandbox.run import run

Version = tuple[int, ...]

# The first Vagrant that accepts each VirtualBox series: hashicorp/vagrant pull requests 13513 (7.1)
# and 13709 (7.2). What it does not know it refuses to drive.
VAGRANT_SINCE: tuple[tuple[Version, Version], ...] = (
    ((7, 2), (2, 4, 9)),
    ((7, 1), (2, 4, 2)),
    ((7, 0), (2, 3, 2)),
    ((6, 1), (2, 2, 6)),
)


@dataclass(frozen=True)
class VirtualBoxFacts:
    """What there is of VirtualBox and Vagrant."""

    manage: bool
    """VBoxManage is there."""
    version_text: str
    """What `VBoxManage --version` said, warnings included."""
    vagrant_text: str
    """What `vagrant --version` said; empty without it."""
    driver_device: bool
    """/dev/vboxdrv is there: the kernel module is loaded."""


def gather() -> VirtualBoxFacts:
    """Ask both for their versions."""
    return VirtualBoxFacts(
        manage=find_command("VBoxManage") is not None,
        version_text=_said("VBoxManage", "--version"),
        vagrant_text=_said("vagrant", "--version"),
        driver_device=Path("/dev/vboxdrv").exists(),
    )


def report(facts: VirtualBoxFacts, host: HostFacts) -> HostReport:
    """All findings; the last one says that this version has no engine for it yet."""
    findings = (
        _installed(facts),
        _driver(facts),
        _hardware(host),
        vagrant_finding(facts.vagrant_text),
        _accepted(facts),
        Finding(
            ok=False,
            title="sandbox drives VirtualBox",
            detail="not driven yet by this version, whatever else is found here",
            fix="sandbox up --provider incus",
        ),
    )
    return HostReport("virtualbox", findings)


def parse_version(text: str) -> Version:
    """The dotted number that ends the last line that has one; empty when there is none.

    VBoxManage prints warnings before its version when the kernel module is missing.
    """
    found = re.findall(r"^\D*?(\d+(?:\.\d+)+)(?:r\d+|_\w+)*\s*$", text, re.MULTILINE)
    return tuple(int(part) for part in found[-1].split(".")) if found else ()


def vagrant_accepts(vagrant: Version, virtualbox: Version) -> bool:
    """Whether that Vagrant drives that VirtualBox; series before our table were always known."""
    series = virtualbox[:2]
    for known, since in VAGRANT_SINCE:
        if series == known:
            return vagrant >= since
    return series < VAGRANT_SINCE[-1][0]


def vagrant_finding(said: str) -> Finding:
    """Whether Vagrant is there."""
    title = "Vagrant is installed"
    version = parse_version(said)
    if not version:
        return Finding(
            ok=False,
            title=title,
            detail="there is no command `vagrant`",
            fix="apt-get install vagrant",
        )
    return Finding(ok=True, title=title, detail=dotted(version))


def dotted(version: Version) -> str:
    """The version as people write it."""
    return ".".join(str(part) for part in version)


def _installed(facts: VirtualBoxFacts) -> Finding:
    title = "VirtualBox is installed"
    if not facts.manage:
        return Finding(
            ok=False,
            title=title,
            detail="there is no command `VBoxManage`",
            fix="install VirtualBox from its own site (Debian does not have it)",
        )
    version = parse_version(facts.version_text)
    if not version:
        last = facts.version_text.strip().splitlines()[-1:] or ["VBoxManage says nothing"]
        return Finding(
            ok=False,
            title=title,
            detail=f"its version cannot be read: {last[0]}",
            fix="VBoxManage -v",
        )
    return Finding(ok=True, title=title, detail=dotted(version))


def _driver(facts: VirtualBoxFacts) -> Finding:
    title = "VirtualBox's kernel module is loaded"
    if facts.driver_device:
        return Finding(ok=True, title=title, detail="/dev/vboxdrv")
    fix = "sudo /sbin/vboxconfig" if facts.manage else ""
    return Finding(ok=False, title=title, detail="/dev/vboxdrv is not there", fix=fix)


def _hardware(host: HostFacts) -> Finding:
    title = "the processor offers VT-x or AMD-V"
    if host.cpu_virtualisation:
        return Finding(ok=True, title=title)
    return Finding(
        ok=False,
        title=title,
        detail="no vmx or svm in /proc/cpuinfo",
        fix="switch virtualisation on in the firmware; inside a VM, switch nesting on",
    )


def _accepted(facts: VirtualBoxFacts) -> Finding:
    title = "this Vagrant drives this VirtualBox"
    vagrant, box = parse_version(facts.vagrant_text), parse_version(facts.version_text)
    if not vagrant or not box:
        return Finding(ok=False, title=title, detail="one of the two is missing")
    if vagrant_accepts(vagrant, box):
        return Finding(ok=True, title=title, detail=f"{dotted(vagrant)} and {dotted(box)}")
    need = next((since for known, since in VAGRANT_SINCE if known == box[:2]), ())
    return Finding(
        ok=False,
        title=title,
        detail=f"Vagrant {dotted(vagrant)} refuses VirtualBox {dotted(box)}",
        fix=f"install Vagrant {dotted(need)} or later"
        if need
        else "install a VirtualBox that your Vagrant knows",
    )


def _said(*words: str) -> str:
    if find_command(words[0]) is None:
        return ""
    try:
        done = run(words, timeout_s=10, check=False)
    except CommandError as error:
        return error.stdout or error.message
    return done.stdout or done.stderr
