"""Doctor's findings that are the same for every provider that Vagrant drives."""

from sandbox.providers.findings import Finding
from sandbox.providers.vagrant.versions import dotted, parse_version

_ENOUGH_MB = 2048
_ENOUGH_GB = 10.0


def vagrant_finding(said: str, fix: str = "sudo apt-get install vagrant") -> Finding:
    """Find out whether Vagrant is there."""
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


def image_finding(provider: str, missing: tuple[str, ...], machine: str) -> Finding:
    """Find out whether base images can be built, or must be fetched from public boxes."""
    title = f"base images for {provider} can be built here"
    if machine != "x86_64":
        detail = f"they are built for amd64, and this host is {machine}: public boxes are used"
        fix = "choose a base with a public box for arm64, see boxes/_base"
        return Finding(ok=False, warning=True, title=title, detail=detail, fix=fix)
    if not missing:
        return Finding(ok=True, title=title)
    detail = f"missing: {', '.join(missing)}"
    fix = f"sudo apt-get install {' '.join(missing)}; or --base-source public"
    return Finding(ok=False, warning=True, title=title, detail=detail, fix=fix)


def size_finding(memory_mb: int, free_disk_gb: float) -> Finding:
    """Find out whether one machine of the usual size fits."""
    title = "memory and disk for a machine"
    detail = f"{memory_mb} MB of memory, {free_disk_gb:.0f} GB of disk free"
    if memory_mb > _ENOUGH_MB and free_disk_gb > _ENOUGH_GB:
        return Finding(ok=True, title=title, detail=detail)
    fix = "free some, or give the machine less: `machine` in the box file"
    return Finding(ok=False, warning=True, title=title, detail=detail, fix=fix)
