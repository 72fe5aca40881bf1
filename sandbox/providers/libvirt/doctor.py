"""The state of libvirt on this host, and doctor's findings about it."""

import getpass
import grp
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from sandbox.errors import CommandError
from sandbox.host.facts import HostFacts, find_command, free_gb
from sandbox.host.groups import is_member
from sandbox.host.privilege import RootAccess
from sandbox.images.tools import missing_tools
from sandbox.providers.findings import Finding, HostReport
from sandbox.providers.libvirt.accelerator import Accelerator, accelerator, kvm_finding
from sandbox.providers.libvirt.domains import URI
from sandbox.providers.vagrant.doctor import image_finding, size_finding, vagrant_finding
from sandbox.providers.vagrant.home import vagrant_home
from sandbox.run import run

GROUP = "libvirt"
SETUP = "sandbox host setup --provider libvirt"
POOLS_DIR = Path("/var/lib/libvirt")
KVM = Path("/dev/kvm")
KVM_GROUP = "kvm"

_GEMS = "usr/share/rubygems-integration"
_ASK_S = 20.0


@dataclass(frozen=True)
class LibvirtFacts:
    """The state of libvirt, QEMU and Vagrant."""

    daemon: str
    """`libvirtd`; `virtqemud` where libvirt has one daemon for each job; empty without either."""
    client: bool
    qemu: bool
    answer: str
    """The daemon's answer about itself; empty when it does not answer."""
    problem: str
    """Why it does not answer, in the words of its client."""
    pools: tuple[str, ...]
    """The active storage pools."""
    vagrant_text: str
    plugin: bool
    """Whether vagrant-libvirt is installed, by Debian's package or `vagrant plugin install`."""
    accelerator: Accelerator
    closed_kvm: str
    """`GROUP:MODE` of a /dev/kvm that QEMU's user may not open; empty when it may, or has none."""
    missing_tools: tuple[str, ...]
    """Packages that this host lacks for building a base image."""
    in_group: bool
    """Whether this user may talk to libvirt's daemon, now or after the next login."""
    free_disk_gb: float
    """Where the disks are kept."""


def gather_libvirt(root: RootAccess | None = None) -> LibvirtFacts:
    """Look for each part, and ask the daemon; `root` asks where this user may not."""
    answer, problem = _ask(root, "version")
    listed, _ = _ask(root, "pool-list", "--name") if answer else ("", "")
    return LibvirtFacts(
        daemon=next((name for name in ("libvirtd", "virtqemud") if find_command(name)), ""),
        client=find_command("virsh") is not None,
        qemu=find_command(qemu_command()) is not None,
        answer=answer,
        problem=problem,
        pools=tuple(listed.split()),
        vagrant_text=_vagrant_version(),
        plugin=_has_plugin(),
        accelerator=accelerator(),
        closed_kvm=closed_kvm(),
        missing_tools=missing_tools(),
        in_group=os.geteuid() == 0 or is_member(getpass.getuser(), GROUP),
        free_disk_gb=free_gb(POOLS_DIR),
    )


def closed_kvm() -> str:
    """Return `GROUP:MODE` of /dev/kvm where nobody has opened it to the group kvm, as udev does."""
    try:
        found = KVM.stat()
    except FileNotFoundError:
        return ""
    try:
        of_group = found.st_gid == grp.getgrnam(KVM_GROUP).gr_gid
    except KeyError:
        of_group = False
    needed = (stat.S_IRGRP | stat.S_IWGRP) if of_group else (stat.S_IROTH | stat.S_IWOTH)
    if found.st_mode & needed == needed:
        return ""
    return f"{found.st_gid}:{stat.S_IMODE(found.st_mode):o}"


def qemu_command() -> str:
    """Return the QEMU program for machines of this host's architecture."""
    return f"qemu-system-{os.uname().machine}"


def libvirt_report(facts: LibvirtFacts, host: HostFacts, pool: str) -> HostReport:
    """Report all findings about libvirt; `pool` is the storage pool that we use."""
    findings = (
        _installed(facts),
        _daemon(facts),
        kvm_finding(facts.accelerator),
        vagrant_finding(facts.vagrant_text, SETUP),
        _plugin(facts),
        _pool(facts, pool),
        image_finding("libvirt", facts.missing_tools, os.uname().machine),
        size_finding(host.memory_mb, facts.free_disk_gb),
    )
    return HostReport("libvirt", findings)


def _installed(facts: LibvirtFacts) -> Finding:
    title = "libvirt and QEMU are installed"
    parts = (("libvirt", facts.daemon), ("virsh", facts.client), (qemu_command(), facts.qemu))
    missing = [name for name, there in parts if not there]
    if not missing:
        return Finding(ok=True, title=title)
    return Finding(ok=False, title=title, detail=f"missing: {', '.join(missing)}", fix=SETUP)


def _daemon(facts: LibvirtFacts) -> Finding:
    title = "the libvirt daemon answers"
    if facts.answer:
        found = re.search(r"^Running hypervisor: (.+)$", facts.answer, re.MULTILINE)
        return Finding(ok=True, title=title, detail=found[1] if found else URI)
    if facts.in_group and "Permission denied" in facts.problem:
        fix = f"newgrp {GROUP}, or log in again: you are in the group since your last login"
        return Finding(ok=False, title=title, detail=facts.problem, fix=fix)
    return Finding(ok=False, title=title, detail=facts.problem or "it is not there", fix=SETUP)


def _plugin(facts: LibvirtFacts) -> Finding:
    title = "Vagrant's libvirt plugin is installed"
    if facts.plugin:
        return Finding(ok=True, title=title)
    return Finding(ok=False, title=title, detail="vagrant-libvirt was not found", fix=SETUP)


def _pool(facts: LibvirtFacts, pool: str) -> Finding:
    title = f"the storage pool {pool} is there"
    if pool in facts.pools:
        return Finding(ok=True, title=title)
    return Finding(ok=False, title=title, detail="it is missing, or not started", fix=SETUP)


def virsh(*words: str) -> tuple[str, ...]:
    """Run virsh for the system's libvirt, with untranslated messages."""
    return ("env", "LC_ALL=C", "virsh", "--quiet", "--connect", URI, *words)


def _ask(root: RootAccess | None, *words: str) -> tuple[str, str]:
    if find_command("virsh") is None:
        return "", "there is no command `virsh`"
    argv = (root or RootAccess()).argv(*virsh(*words))
    try:
        done = run(argv, timeout_s=_ASK_S, check=False)
    except CommandError as error:
        return "", error.message
    if done.returncode == 0:
        return done.stdout.strip() or "yes", ""
    lines = done.stderr.strip().splitlines()
    return "", lines[-1] if lines else f"virsh ended with {done.returncode}"


def _has_plugin() -> bool:
    if any(Path("/").glob(f"{_GEMS}/*/specifications/vagrant-libvirt-*.gemspec")):
        return True
    return any(vagrant_home().glob("gems/*/gems/vagrant-libvirt-*"))


def _vagrant_version() -> str:
    if find_command("vagrant") is None:
        return ""
    try:
        return run(("vagrant", "--version"), timeout_s=10, check=False).stdout
    except CommandError:
        return ""
