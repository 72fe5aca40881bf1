"""Which operating system this host runs. Pure."""

import shlex
from dataclasses import dataclass

OLDEST_DEBIAN = 12
OLDEST_UBUNTU = (24, 4)


@dataclass(frozen=True)
class Distribution:
    """The part of /etc/os-release that we need."""

    id: str
    version: str
    codename: str
    name: str

    @property
    def is_known(self) -> bool:
        """Whether `host setup` installs packages on it: Debian 12, Ubuntu 24.04, or later."""
        if self.id == "debian":
            # Testing and unstable have no VERSION_ID
            return not self.version.isdigit() or int(self.version) >= OLDEST_DEBIAN
        parts = tuple(int(part) for part in self.version.split(".") if part.isdigit())
        return self.id == "ubuntu" and parts >= OLDEST_UBUNTU


def parse_os_release(text: str) -> Distribution:
    """Parse the distribution that the text of /etc/os-release describes."""
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
