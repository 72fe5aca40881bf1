"""Where a distribution gets Incus from. Pure."""

from enum import StrEnum

from sandbox.host.system import Distribution

DEBIAN_WITH_BACKPORT = 12
"""The Debian release that has Incus only in its backports; later ones have Incus itself."""


class IncusSource(StrEnum):
    """Where this distribution's Incus comes from."""

    ARCHIVE = "archive"
    BACKPORTS = "backports"
    ELSEWHERE = "elsewhere"


def incus_source(system: Distribution) -> IncusSource:
    """Choose where `host setup` would install Incus from."""
    if not system.is_known:
        return IncusSource.ELSEWHERE
    if (system.id, system.version) == ("debian", str(DEBIAN_WITH_BACKPORT)):
        return IncusSource.BACKPORTS
    return IncusSource.ARCHIVE


def advice(system: Distribution) -> str:
    """Return the instruction for a system where we do not install Incus ourselves."""
    by_hand = {
        "fedora": "dnf install incus",
        "arch": "pacman -S incus",
        "opensuse-tumbleweed": "zypper install incus",
        "alpine": "apk add incus incus-client",
        "nixos": "virtualisation.incus.enable = true",
    }
    command = by_hand.get(system.id, "see the Incus documentation, 'How to install Incus'")
    return f"install Incus yourself ({command}), then run `sandbox host setup` again"
