"""Doctor's findings about libvirt: packages, daemon, a /dev/kvm that may lie, Vagrant, plugin."""

from dataclasses import dataclass
from pathlib import Path

from sandbox.engines.base import Finding, HostReport
from sandbox.errors import CommandError
from sandbox.host.facts import HostFacts, find_command
from sandbox.host.virtualbox import vagrant_finding
from sandbox.run import run

_SOCKETS = (
    Path("/run/libvirt/libvirt-sock"),
    Path("/run/libvirt/virtqemud-sock"),
    Path("/var/run/libvirt/libvirt-sock"),
)
_GEMS = "/usr/share/rubygems-integration"


@dataclass(frozen=True)
class LibvirtFacts:
    """What there is of libvirt, QEMU and Vagrant."""

    libvirtd: bool
    qemu: bool
    socket: bool
    """A daemon's socket is there."""
    vagrant_text: str
    plugin: bool
    """vagrant-libvirt is installed, as Debian's package or by `vagrant plugin install`."""


def gather() -> LibvirtFacts:
    """Look for each part; for the plugin on disk, as `vagrant plugin list` takes a second."""
    return LibvirtFacts(
        libvirtd=any(find_command(name) for name in ("libvirtd", "virtqemud")),
        qemu=any(find_command(name) for name in ("qemu-system-x86_64", "qemu-system-aarch64")),
        socket=any(path.exists() for path in _SOCKETS),
        vagrant_text=_vagrant_version(),
        plugin=_has_plugin(),
    )


def report(facts: LibvirtFacts, host: HostFacts) -> HostReport:
    """All findings; the last one says that this version has no engine for it yet."""
    findings = (
        _installed(facts),
        _daemon(facts, host),
        kvm_finding(host),
        vagrant_finding(facts.vagrant_text),
        _plugin(facts),
        Finding(
            ok=False,
            title="sandbox drives libvirt",
            detail="not driven yet by this version, whatever else is found here",
            fix="sandbox up --provider incus",
        ),
    )
    return HostReport("libvirt", findings)


def kvm_finding(host: HostFacts) -> Finding:
    """Whether KVM really works: the device alone proves nothing."""
    title = "KVM works"
    if host.kvm_device and host.cpu_virtualisation:
        return Finding(ok=True, title=title, detail="/dev/kvm, and the processor has vmx or svm")
    detail = (
        "/dev/kvm is there, but the processor has neither vmx nor svm: no guest boots with it"
        if host.kvm_device
        else "there is no /dev/kvm"
    )
    return Finding(
        ok=False,
        warning=True,
        title=title,
        detail=f"{detail}; only QEMU's emulation is possible, which is slow",
        fix="switch virtualisation on in the firmware; inside a VM, switch nesting on",
    )


def _installed(facts: LibvirtFacts) -> Finding:
    title = "libvirt and QEMU are installed"
    missing = [
        name
        for name, there in (("libvirt-daemon-system", facts.libvirtd), ("qemu-system", facts.qemu))
        if not there
    ]
    if not missing:
        return Finding(ok=True, title=title)
    return Finding(
        ok=False,
        title=title,
        detail=f"missing: {', '.join(missing)}",
        fix=f"sudo apt-get install {' '.join(missing)}",
    )


def _daemon(facts: LibvirtFacts, host: HostFacts) -> Finding:
    title = "the libvirt daemon listens"
    if facts.socket:
        return Finding(ok=True, title=title)
    fix = (
        "sudo systemctl enable --now libvirtd" if host.systemd else "sudo virtlogd -d; libvirtd -d"
    )
    return Finding(ok=False, title=title, detail="its socket is not there", fix=fix)


def _plugin(facts: LibvirtFacts) -> Finding:
    title = "Vagrant's libvirt plugin is installed"
    if facts.plugin:
        return Finding(ok=True, title=title)
    return Finding(
        ok=False,
        title=title,
        detail="vagrant-libvirt was not found",
        fix="sudo apt-get install vagrant-libvirt",
    )


def _has_plugin() -> bool:
    if any(Path(_GEMS).glob("*/specifications/vagrant-libvirt-*.gemspec")):
        return True
    return any(Path.home().glob(".vagrant.d/gems/*/gems/vagrant-libvirt-*"))


def _vagrant_version() -> str:
    if find_command("vagrant") is None:
        return ""
    try:
        return run(("vagrant", "--version"), timeout_s=10, check=False).stdout
    except CommandError:
        return ""
