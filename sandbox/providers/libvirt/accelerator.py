"""Whether virtual machines run on the processor here (KVM), or in QEMU's emulation of one.

A /dev/kvm that is there, opens and even creates a VM proves nothing: where the hypervisor of this
host only pretends to support KVM, no kernel boots, and the processor shows neither vmx nor svm.
"""

import fcntl
import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sandbox.providers.findings import Finding

_KVM = Path("/dev/kvm")
_CPUINFO = Path("/proc/cpuinfo")
_KVM_GET_API_VERSION = 0xAE00
_API_VERSION = 12  # the only one since Linux 2.6.22

_FIX = "switch virtualisation on in the firmware; inside a virtual machine, switch nesting on"


@dataclass(frozen=True)
class Accelerator:
    """The processor of virtual machines: real or emulated."""

    kind: Literal["kvm", "qemu"]
    reason: str
    """The finding, for people."""


@dataclass(frozen=True)
class KvmFacts:
    """The state of KVM on this host."""

    machine: str
    """x86_64, aarch64."""
    device: bool
    flags: frozenset[str]
    """The processor's flags."""
    api_version: int | None
    """The device's answer; None when this user may not ask it."""
    error: str = ""
    """Why it did not answer, when that is not a matter of permission."""


def accelerator() -> Accelerator:
    """Choose KVM only where it really works, else QEMU's emulation, several times slower."""
    return judge(gather_kvm())


def judge(facts: KvmFacts) -> Accelerator:
    """Decide between KVM and emulation by these facts."""
    if not facts.device:
        return Accelerator("qemu", "there is no /dev/kvm")
    if facts.error:
        return Accelerator("qemu", f"/dev/kvm is there, but does not work: {facts.error}")
    if facts.api_version not in (None, _API_VERSION):
        return Accelerator("qemu", f"/dev/kvm speaks version {facts.api_version} of its API")
    if facts.machine in ("x86_64", "i686"):
        found = sorted({"vmx", "svm"} & facts.flags)
        if not found:
            text = "/dev/kvm is there, but the processor has neither vmx nor svm: no kernel boots"
            return Accelerator("qemu", text)
        return Accelerator("kvm", f"/dev/kvm answers, and the processor has {found[0]}")
    return Accelerator("kvm", "/dev/kvm answers")


def kvm_finding(found: Accelerator) -> Finding:
    """Find out whether KVM really works: the device alone proves nothing."""
    title = "KVM works"
    if found.kind == "kvm":
        return Finding(ok=True, title=title, detail=found.reason)
    detail = f"{found.reason}; machines are emulated by QEMU, several times slower"
    return Finding(ok=False, warning=True, doubtful=True, title=title, detail=detail, fix=_FIX)


def gather_kvm() -> KvmFacts:
    """Look at the processor, and ask the device for its version."""
    version, error = _ask()
    return KvmFacts(platform.machine(), _KVM.exists(), _flags(), version, error)


def _flags() -> frozenset[str]:
    try:
        found = re.search(r"^flags\s*:(.*)$", _CPUINFO.read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        return frozenset()
    return frozenset(found[1].split()) if found else frozenset()


def _ask() -> tuple[int | None, str]:
    try:
        handle = os.open(_KVM, os.O_RDWR | os.O_CLOEXEC)
    except (PermissionError, FileNotFoundError):
        # Not in the group kvm: libvirt's daemon opens the device, not this user
        return None, ""
    except OSError as error:
        return None, str(error)
    try:
        return fcntl.ioctl(handle, _KVM_GET_API_VERSION), ""
    except OSError as error:
        return None, str(error)
    finally:
        os.close(handle)
