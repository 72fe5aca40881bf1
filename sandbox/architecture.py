"""The architecture of the machines of this host, in Debian's words."""

import platform
from typing import Final

DEBIAN_ARCHITECTURES: Final = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "ppc64le": "ppc64el",
    "s390x": "s390x",
}
"""Incus's (and the kernel's) names, and Debian's."""


def debian_architecture() -> str:
    """Name the architecture of every machine here: no provider runs one of another than the host's.

    macOS says `arm64`, which is Debian's word too.
    """
    machine = platform.machine().lower()
    return DEBIAN_ARCHITECTURES.get(machine, machine)
