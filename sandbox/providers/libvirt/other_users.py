"""Find others in libvirt who use our storage pool: then teardown cannot remove it, and stops.

We have no network in libvirt that anybody could use.
"""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import PurePosixPath

from sandbox.errors import CommandError, HostError
from sandbox.host.privilege import RootAccess
from sandbox.providers.libvirt.doctor import virsh
from sandbox.providers.libvirt.host_setup import LibvirtPlace
from sandbox.run import run

# A machine's entries for a disk and the images beneath it, for a kernel or for firmware
_NAMED = re.compile(r"""<source\b[^>]*?\s(?:file|dev|dir)=(?:'([^']+)'|"([^"]+)")""")
_WHOLE = re.compile(r"<(?:kernel|initrd|loader|nvram|path)\b[^>]*>\s*([^<]+?)\s*</")
_VOLUME = re.compile(r"""<source\b[^>]*?\spool=(?:'([^']+)'|"([^"]+)")""")
_BENEATH = re.compile(r"<backingStore>(.*?)</backingStore>", re.DOTALL)


def others_domains(
    place: LibvirtPlace, own: tuple[str, ...], root: RootAccess | None
) -> tuple[str, ...]:
    """List the machines of others; `own` is all sandboxes and baked images.

    Raises:
        HostError: libvirt could not be asked.
    """
    ours = {f"{place.prefix}-{name}" for name in own}
    return tuple(name for name in _lines(root, "list", "--all", "--name") if name not in ours)


def require_unused(
    place: LibvirtPlace, domains: tuple[str, ...], pools: tuple[str, ...], root: RootAccess | None
) -> None:
    """Return when no machine or disk of others depends on our storage pool.

    Args:
        place: the names of our things.
        domains: the machines of others.
        pools: the active storage pools, with or without ours.
        root: asks where this user may not.

    Raises:
        HostError: one does, and the error says which; or libvirt could not be asked.
    """
    users = tuple(dict.fromkeys((*_machines(place, domains, root), *_volumes(place, pools, root))))
    if users:
        raise HostError(
            "what sandbox made on this host is in use by others: nothing was removed",
            details="\n".join(users),
            hint="move or remove these first (`virsh -c qemu:///system dumpxml NAME` shows what a "
            "machine uses), then run the same command again",
        )


def _machines(
    place: LibvirtPlace, domains: tuple[str, ...], root: RootAccess | None
) -> Iterator[str]:
    for domain in domains:
        # For a running machine, also the images beneath its disks
        text = _tell(root, "dumpxml", "--domain", domain)
        for path in (*_values(_NAMED, text), *_values(_WHOLE, text)):
            if _is_ours(place, path):
                yield f"the machine {domain} uses {path} in the storage pool {place.pool}"
        if place.pool in _values(_VOLUME, text):
            yield f"the machine {domain} uses a volume of the storage pool {place.pool}"


def _volumes(place: LibvirtPlace, pools: tuple[str, ...], root: RootAccess | None) -> Iterator[str]:
    """Disks elsewhere that only hold their differences from an image of ours."""
    for pool in pools:
        if pool == place.pool:
            continue
        for line in _tell(root, "vol-list", "--pool", pool).splitlines():
            # Name and path may both have blanks: no path begins within a name
            name, _, path = line.strip().partition(" /")
            text = _tell(root, "vol-dumpxml", f"/{path.strip()}") if path else ""
            for beneath in _BENEATH.findall(text):
                for image in _values(_WHOLE, beneath):
                    if _is_ours(place, image):
                        yield f"the volume {name.strip()} of the storage pool {pool} needs {image}"


def _is_ours(place: LibvirtPlace, path: str) -> bool:
    return PurePosixPath(path).is_relative_to(place.pool_path)


def _values(pattern: re.Pattern[str], text: str) -> tuple[str, ...]:
    return tuple(unescape("".join(found.groups(""))) for found in pattern.finditer(text))


def _lines(root: RootAccess | None, *words: str) -> tuple[str, ...]:
    try:
        done = run((root or RootAccess()).argv(*virsh(*words)), timeout_s=30)
    except CommandError as error:
        raise HostError("libvirt cannot be asked", details=error.details) from error
    return tuple(line.strip() for line in done.stdout.splitlines() if line.strip())


def _tell(root: RootAccess | None, *words: str) -> str:
    """The description of one thing in libvirt; empty when it is gone by now."""
    try:
        return run((root or RootAccess()).argv(*virsh(*words)), timeout_s=30, check=False).stdout
    except CommandError as error:
        raise HostError("libvirt cannot be asked", details=error.details) from error
