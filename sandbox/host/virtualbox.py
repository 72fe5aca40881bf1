"""Doctor's findings about VirtualBox and the Vagrant that would drive it."""

import platform
import re
from dataclasses import dataclass
from pathlib import Path

from sandbox.engines.base import Finding, HostReport
from sandbox.errors import CommandError
from sandbox.host.facts import HostFacts, find_command, free_gb
from sandbox.image_tools import missing_tools
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

ARM64_SINCE: Version = (7, 1)
"""The first VirtualBox with machines for arm64 (Apple silicon), themselves arm64."""

# Since then KVM holds the processor's virtualisation from being loaded on, not only while a machine
# of its own runs: VERR_VMX_IN_VMX_ROOT_MODE (issue 180 of VirtualBox/virtualbox)
_KVM_HOLDS_SINCE: Version = (6, 12)
_ENOUGH_MB = 2048
_ENOUGH_GB = 10.0


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
    machine: str = "x86_64"
    """The host's architecture, in the kernel's words."""
    hypervisor: bool = False
    """This host is itself a virtual machine."""
    kvm_loaded: bool = False
    kernel: str = ""
    """This Linux's release."""
    wsl: bool = False
    """This Linux runs under Windows, where Hyper-V has the processor."""
    missing_tools: tuple[str, ...] = ()
    """Packages that building a base image would need."""
    free_disk_gb: float = 100.0
    """Where VirtualBox keeps its machines."""


def gather() -> VirtualBoxFacts:
    """Ask both for their versions, and look at the processor and what else wants it."""
    return VirtualBoxFacts(
        manage=find_command("VBoxManage") is not None,
        version_text=_said("VBoxManage", "--version"),
        vagrant_text=_said("vagrant", "--version"),
        driver_device=Path("/dev/vboxdrv").exists(),
        machine=platform.machine(),
        hypervisor="hypervisor" in _read("/proc/cpuinfo").split(),
        kvm_loaded=bool(re.search(r"^kvm_(intel|amd) ", _read("/proc/modules"), re.MULTILINE)),
        kernel=platform.release(),
        wsl="microsoft" in _read("/proc/version").lower(),
        missing_tools=missing_tools(),
        free_disk_gb=free_gb(Path.home()),
    )


def _read(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        # Not every kernel has every one of them
        return ""


def report(facts: VirtualBoxFacts, host: HostFacts) -> HostReport:
    """All findings. What fails here keeps the provider from being the default, no more than that.

    Somebody who names it is warned and may try: VirtualBox itself has the last word.
    """
    findings = [
        _installed(facts),
        _driver(facts),
        _hardware(facts, host),
        vagrant_finding(facts.vagrant_text),
        _accepted(facts),
        _rivals(facts),
        image_finding("virtualbox", facts.missing_tools, facts.machine),
        size_finding(host.memory_mb, facts.free_disk_gb),
    ]
    return HostReport("virtualbox", tuple(finding for finding in findings if finding is not None))


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


def vagrant_finding(said: str, fix: str = "sudo apt-get install vagrant") -> Finding:
    """Whether Vagrant is there."""
    title = "Vagrant is installed"
    version = parse_version(said)
    if not version:
        return Finding(
            ok=False,
            title=title,
            detail="there is no command `vagrant`",
            fix=fix,
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


def _hardware(facts: VirtualBoxFacts, host: HostFacts) -> Finding:
    title = "the processor offers virtualisation"
    if facts.machine == "aarch64":
        return _arm64(title, parse_version(facts.version_text))
    if host.cpu_virtualisation:
        return Finding(ok=True, title=title, detail="VT-x or AMD-V")
    fix = "switch VT-x or AMD-V on in the firmware"
    if facts.wsl:
        fix = "run sandbox in a Linux of its own: under Windows, Hyper-V has the processor"
    elif facts.hypervisor:
        fix = "switch nesting on for this virtual machine; or --provider incus"
    return Finding(ok=False, title=title, detail="no vmx or svm in /proc/cpuinfo", fix=fix)


def _arm64(title: str, version: Version) -> Finding:
    if version and version < ARM64_SINCE:
        detail = f"VirtualBox {dotted(version)} has no machines for arm64"
        fix = f"install VirtualBox {dotted(ARM64_SINCE)} or later"
        return Finding(ok=False, title=title, detail=detail, fix=fix)
    return Finding(ok=True, title=title, detail="arm64: base images have to be for arm64, too")


def _rivals(facts: VirtualBoxFacts) -> Finding | None:
    """Who else wants the processor's virtualisation; nothing to say where nobody does."""
    title = "nothing else holds the processor's virtualisation"
    if facts.wsl:
        detail = "this Linux runs under Windows, on Hyper-V"
        fix = "use VirtualBox on Windows itself, or --provider incus here"
        return Finding(ok=False, title=title, detail=detail, fix=fix)
    release = re.match(r"(\d+)\.(\d+)", facts.kernel)
    kernel = (int(release[1]), int(release[2])) if release else ()
    if facts.kvm_loaded and kernel >= _KVM_HOLDS_SINCE:
        detail = f"KVM is loaded, and Linux {dotted(kernel)} lets it hold the processor"
        fix = "if VirtualBox says VERR_VMX_IN_VMX_ROOT_MODE: sudo modprobe -r kvm_intel kvm_amd"
        return Finding(ok=False, warning=True, title=title, detail=detail, fix=fix)
    return None


def image_finding(provider: str, missing: tuple[str, ...], machine: str) -> Finding:
    """Whether base images can be built, or public ones have to be fetched."""
    title = f"base images for {provider} can be built here"
    if machine != "x86_64":
        detail = f"they are built for amd64, and this host is {machine}: public boxes are used"
        fix = "choose a base whose public box is for arm64, see boxes/_base"
        return Finding(ok=False, warning=True, title=title, detail=detail, fix=fix)
    if not missing:
        return Finding(ok=True, title=title)
    detail = f"missing: {', '.join(missing)}"
    fix = f"sudo apt-get install {' '.join(missing)}; or --base-source public"
    return Finding(ok=False, warning=True, title=title, detail=detail, fix=fix)


def size_finding(memory_mb: int, free_disk_gb: float) -> Finding:
    """Whether one machine of the usual size fits."""
    title = "memory and disk for a machine"
    detail = f"{memory_mb} MB of memory, {free_disk_gb:.0f} GB of disk free"
    if memory_mb > _ENOUGH_MB and free_disk_gb > _ENOUGH_GB:
        return Finding(ok=True, title=title, detail=detail)
    fix = "free some, or give the machine less: `machine` in the box file"
    return Finding(ok=False, warning=True, title=title, detail=detail, fix=fix)


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
