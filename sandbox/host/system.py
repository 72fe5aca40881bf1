"""Which operating system this host runs, and where it gets Incus from. Pure."""

import shlex
from dataclasses import dataclass
from enum import StrEnum

DEBIAN_WITH_INCUS = 13
"""The first Debian release that has Incus itself."""
DEBIAN_WITH_BACKPORT = 12
UBUNTU_WITH_INCUS = (24, 4)


class IncusSource(StrEnum):
    """Where this distribution's Incus comes from."""

    ARCHIVE = "archive"
    BACKPORTS = "backports"
    ELSEWHERE = "elsewhere"


@dataclass(frozen=True)
class Distribution:
    """What /etc/os-release says, as far as it matters here."""

    id: str
    version: str
    codename: str
    name: str

    @property
    def incus_source(self) -> IncusSource:
        """Where `host setup` would install Incus from."""
        if self.id == "debian":
            # Testing and unstable have no VERSION_ID
            release = int(self.version) if self.version.isdigit() else DEBIAN_WITH_INCUS
            if release >= DEBIAN_WITH_INCUS:
                return IncusSource.ARCHIVE
            if release == DEBIAN_WITH_BACKPORT:
                return IncusSource.BACKPORTS
        if self.id == "ubuntu":
            parts = tuple(int(part) for part in self.version.split(".") if part.isdigit())
            if parts >= UBUNTU_WITH_INCUS:
                return IncusSource.ARCHIVE
        return IncusSource.ELSEWHERE

    @property
    def advice(self) -> str:
        """What to do on a system where we do not install Incus ourselves."""
        by_hand = {
            "fedora": "dnf install incus",
            "arch": "pacman -S incus",
            "opensuse-tumbleweed": "zypper install incus",
            "alpine": "apk add incus incus-client",
            "nixos": "virtualisation.incus.enable = true",
        }
        command = by_hand.get(self.id, "see the Incus documentation, 'How to install Incus'")
        return f"install Incus yourself ({command}), then run `sandbox host setup` again"


def parse_os_release(text: str) -> Distribution:
    """The distribution that the text of /etc/os-release describes."""
    values: dict[str, str] = {}
    for line in text.splitlines():
        key, separator, raw = line.strip().partition("=")
        if separator and not key.startswith("#"):
            # The file is shell: values may be quoted
            values[key] = "".join(shlex.split(raw)[:1])
    return Distribution(
        id=values.get("ID", "unknown"),
        version=values.get("VERSION_ID", ""),
        codename=values.get("VERSION_CODENAME", ""),
        name=values.get("PRETTY_NAME", values.get("ID", "an unknown system")),
    )
