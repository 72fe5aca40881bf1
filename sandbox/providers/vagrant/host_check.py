"""What this host must have before Vagrant is asked for anything."""

import os
import re
import shutil
from pathlib import Path
from typing import Final

from sandbox.errors import CommandError
from sandbox.providers.engine import MachineSpec, require_size
from sandbox.providers.findings import Finding
from sandbox.providers.vagrant.home import clean_vagrant_home
from sandbox.providers.vagrant.hypervisor import Hypervisor
from sandbox.run import run

_GEMS: Final = "/usr/share/rubygems-integration/*/specifications"
_TITLE: Final = "Vagrant is installed"


def vagrant_findings(hypervisor: Hypervisor) -> tuple[Finding, ...]:
    """List findings about Vagrant, and its plugin for the hypervisor where it needs one."""
    fix = f"sandbox host setup --provider {hypervisor.provider}"
    if shutil.which("vagrant") is None:
        return (Finding(ok=False, title=_TITLE, detail="no command `vagrant`", fix=fix),)
    try:
        said = run(("vagrant", "--version"), timeout_s=20).stdout
    except CommandError as error:
        detail = error.details or error.message
        return (Finding(ok=False, title=_TITLE, detail=detail, fix="vagrant --version"),)
    found = re.search(r"\d+(\.\d+)+", said)
    version = Finding(ok=True, title=_TITLE, detail=found[0] if found else said.strip())
    return (version, _plugin_finding(hypervisor, fix)) if hypervisor.vagrant_plugin else (version,)


def _plugin_finding(hypervisor: Hypervisor, fix: str) -> Finding:
    plugin = hypervisor.vagrant_plugin
    title = f"Vagrant's plugin for {hypervisor.provider} is installed"
    places = (
        *Path("/").glob(f"{_GEMS[1:]}/{plugin}-*.gemspec"),
        *clean_vagrant_home().glob(f"gems/*/specifications/{plugin}-*.gemspec"),
    )
    if places:
        return Finding(ok=True, title=title, detail=places[0].stem.removeprefix(f"{plugin}-"))
    return Finding(ok=False, title=title, detail=f"{plugin} was not found", fix=fix)


def check_size(spec: MachineSpec) -> None:
    """Refuse a machine that is larger than this host.

    Raises:
        HostError: the host has not so much memory or so many processors.
    """
    require_size(spec, memory_mb=memory_mb(), cpus=os.cpu_count() or 1)


def memory_mb() -> int:
    """Measure this host's memory; asks only what every system answers."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1024**2
