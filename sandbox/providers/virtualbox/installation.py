"""The state of VirtualBox on this host, and doubts about it: only read, nothing is changed.

Only a certain failure stops a user. The rest are doubts: VirtualBox itself decides.
"""

import os
import platform
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from sandbox.errors import CommandError
from sandbox.images.tools import missing_tools
from sandbox.providers.findings import Finding
from sandbox.providers.vagrant.versions import Version, dotted, parse_version
from sandbox.run import run

# The first Vagrant that accepts each VirtualBox series: its changelog (6.1, 7.0), and its pull
# requests 13513 (7.1) and 13709 (7.2). Vagrant refuses to drive a series that it does not know.
VAGRANT_SINCE: tuple[tuple[Version, Version], ...] = (
    ((7, 2), (2, 4, 9)),
    ((7, 1), (2, 4, 2)),
    ((7, 0), (2, 3, 2)),
    ((6, 1), (2, 2, 7)),
)

ARM64_SINCE: Version = (7, 1)
"""The first VirtualBox with machines for arm64, on hosts of arm64 (Apple silicon)."""

NEEDED_DISK_GB = 2.0
"""Less room than this, and not even the base image can be imported."""

# Since then KVM holds the processor's virtualisation from loading on, not only while one of its
# machines runs: VERR_VMX_IN_VMX_ROOT_MODE (issue 180 of VirtualBox/virtualbox)
_KVM_HOLDS_SINCE: Version = (6, 12)
_ASK_S = 10.0


@dataclass(frozen=True)
class VirtualBoxFacts:
    """The state of VirtualBox and Vagrant."""

    manage: bool
    """VBoxManage is there."""
    version_text: str
    """The output of `VBoxManage --version`, with warnings."""
    vagrant_text: str
    """The output of `vagrant --version`; empty without Vagrant."""
    driver_device: bool
    """/dev/vboxdrv is there: the kernel module is loaded. Only Linux shows that file."""
    system: str = "Linux"
    """The host's operating system, in Python's words: Linux, Darwin."""
    machine: str = "x86_64"
    """The host's architecture, in the kernel's words."""
    cpu_virtualisation: bool = True
    """The processor offers vmx or svm, as Linux tells."""
    hypervisor: bool = False
    """This host is itself a virtual machine."""
    kvm_loaded: bool = False
    kernel: str = ""
    """The kernel's release."""
    wsl: bool = False
    """This Linux runs under Windows, where Hyper-V has the processor."""
    missing_tools: tuple[str, ...] = ()
    """Packages that this host lacks for building a base image."""
    memory_mb: int = 8192
    free_disk_gb: float = 100.0
    """Where VirtualBox keeps its machines."""


def gather_virtualbox() -> VirtualBoxFacts:
    """Ask both for their versions, and look at the processor and what else uses it."""
    words = set(_read("/proc/cpuinfo").split())
    manage = shutil.which("VBoxManage") is not None
    return VirtualBoxFacts(
        manage=manage,
        # Without VirtualBox nobody needs to know the version of Vagrant
        version_text=_said("VBoxManage", "--version") if manage else "",
        vagrant_text=_said("vagrant", "--version"),
        driver_device=Path("/dev/vboxdrv").exists(),
        system=platform.system(),
        machine=platform.machine(),
        cpu_virtualisation=bool({"vmx", "svm"} & words),
        hypervisor="hypervisor" in words,
        kvm_loaded=bool(re.search(r"^kvm_(intel|amd) ", _read("/proc/modules"), re.MULTILINE)),
        kernel=platform.release(),
        wsl="microsoft" in _read("/proc/version").lower(),
        missing_tools=missing_tools(),
        memory_mb=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1024**2,
        free_disk_gb=shutil.disk_usage(Path.home()).free / 1024**3,
    )


def virtualbox_findings(facts: VirtualBoxFacts) -> tuple[Finding, ...]:
    """List all findings before anything is started, without those that only base images need."""
    installed = _installed(facts)
    if not facts.manage:
        return (installed,)
    found = (
        installed,
        _driver(facts),
        _hardware(facts),
        _accepted(facts),
        _rivals(facts),
        _room(facts),
    )
    return tuple(finding for finding in found if finding is not None)


def vagrant_accepts(vagrant: Version, virtualbox: Version) -> bool:
    """Tell whether that Vagrant drives that VirtualBox; older series than our table always do."""
    series = virtualbox[:2]
    for known, since in VAGRANT_SINCE:
        if series == known:
            return vagrant >= since
    return series < VAGRANT_SINCE[-1][0]


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


def _driver(facts: VirtualBoxFacts) -> Finding | None:
    title = "VirtualBox's kernel module is loaded"
    if facts.system != "Linux":
        return None
    if facts.driver_device:
        return Finding(ok=True, title=title, detail="/dev/vboxdrv")
    return Finding(
        ok=False,
        doubtful=True,
        title=title,
        detail="/dev/vboxdrv is not there",
        fix="sudo /sbin/vboxconfig",
    )


def _hardware(facts: VirtualBoxFacts) -> Finding | None:
    title = "the processor offers virtualisation"
    # Linux says aarch64, macOS arm64
    if facts.machine in ("aarch64", "arm64"):
        return _arm64(title, parse_version(facts.version_text))
    if facts.system != "Linux":
        # Every Intel Mac has it, but has no /proc/cpuinfo to show that
        return None
    if facts.cpu_virtualisation:
        return Finding(ok=True, title=title, detail="VT-x or AMD-V")
    fix = "switch VT-x or AMD-V on in the firmware"
    if facts.wsl:
        fix = "run sandbox in a Linux of its own: under Windows, Hyper-V has the processor"
    elif facts.hypervisor:
        fix = "switch nesting on for this virtual machine; or --provider incus"
    detail = "no vmx or svm in /proc/cpuinfo"
    return Finding(ok=False, doubtful=True, title=title, detail=detail, fix=fix)


def _arm64(title: str, version: Version) -> Finding:
    if version and version < ARM64_SINCE:
        detail = f"VirtualBox {dotted(version)} has no machines for arm64"
        fix = f"install VirtualBox {dotted(ARM64_SINCE)} or later"
        return Finding(ok=False, doubtful=True, title=title, detail=detail, fix=fix)
    return Finding(ok=True, title=title, detail="arm64: base images have to be for arm64, too")


def _accepted(facts: VirtualBoxFacts) -> Finding | None:
    title = "this Vagrant drives this VirtualBox"
    vagrant, box = parse_version(facts.vagrant_text), parse_version(facts.version_text)
    if not vagrant or not box:
        # Another finding reports that one of the two is missing
        return None
    if vagrant_accepts(vagrant, box):
        return Finding(ok=True, title=title, detail=f"{dotted(vagrant)} and {dotted(box)}")
    need = next((since for known, since in VAGRANT_SINCE if known == box[:2]), ())
    return Finding(
        ok=False,
        # A distribution may have changed its Vagrant to support it
        doubtful=True,
        title=title,
        detail=f"Vagrant {dotted(vagrant)} refuses VirtualBox {dotted(box)}",
        fix=f"install Vagrant {dotted(need)} or later"
        if need
        else "install a VirtualBox that your Vagrant knows",
    )


def _rivals(facts: VirtualBoxFacts) -> Finding | None:
    """Other users of the processor's virtualisation; no finding where there are none."""
    title = "nothing else holds the processor's virtualisation"
    if facts.wsl:
        detail = "this Linux runs under Windows, on Hyper-V"
        fix = "use VirtualBox on Windows itself, or --provider incus here"
        return Finding(ok=False, doubtful=True, title=title, detail=detail, fix=fix)
    release = re.match(r"(\d+)\.(\d+)", facts.kernel)
    kernel = (int(release[1]), int(release[2])) if release else ()
    if facts.system == "Linux" and facts.kvm_loaded and kernel >= _KVM_HOLDS_SINCE:
        detail = f"KVM is loaded, and Linux {dotted(kernel)} lets it hold the processor"
        fix = "if VirtualBox says VERR_VMX_IN_VMX_ROOT_MODE: sudo modprobe -r kvm_intel kvm_amd"
        return Finding(ok=False, warning=True, title=title, detail=detail, fix=fix)
    return None


def _room(facts: VirtualBoxFacts) -> Finding | None:
    """Refuse only what is certainly too little; the box says how much a machine needs."""
    if facts.free_disk_gb >= NEEDED_DISK_GB:
        return None
    return Finding(
        ok=False,
        title="there is room for a machine's disk",
        detail=f"{facts.free_disk_gb:.1f} GB free, {NEEDED_DISK_GB:.0f} GB needed",
        fix="sandbox destroy what is not used, or make room on the disk",
    )


def _read(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace", encoding="utf-8")
    except OSError:
        # Not every kernel has all of these files
        return ""


def _said(*words: str) -> str:
    if shutil.which(words[0]) is None:
        return ""
    try:
        done = run(words, timeout_s=_ASK_S, check=False)
    except CommandError as error:
        return error.stdout or error.message
    return done.stdout or done.stderr
