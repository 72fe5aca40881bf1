"""The Debian packages that a machine's apt would download: its own list, with checksums.

The list comes from the machine, whose apt has verified its lists of packages. The answer is checked
before use, like all that comes from a machine.
"""

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

FOLDER: Final = "/var/cache/apt/archives"
"""apt takes a package from here when its name and size are right."""

_LINE: Final = re.compile(
    r"'(?P<url>https?://[!-&(-~]+)' (?P<name>[A-Za-z0-9.+~%:_-]+\.deb) (?P<size>[0-9]{1,12})"
    r" SHA256:(?P<sha256>[0-9a-f]{64})"
)


@dataclass(frozen=True)
class WantedDeb:
    """A package that apt would download."""

    url: str
    name: str
    """The file's name in apt's folder: `r-base-core_4.2.2.20221110-2_amd64.deb`."""
    size_bytes: int
    sha256: str


def question(packages: Iterable[str]) -> str:
    """Write the shell command that lists what an installation of these packages would download."""
    words = (
        *("apt-get", "-qq", "--print-uris", "--no-install-recommends"),
        *("-o", "Acquire::ForceHash=SHA256", "install", "--"),
        *packages,
    )
    return f"LC_ALL=C {shlex.join(words)} 2>/dev/null || true"


def wanted_debs(answer: str) -> tuple[WantedDeb, ...]:
    """Read apt's answer; lines of another form are left to apt itself, as are URLs with a login."""
    found = (_LINE.fullmatch(line.strip()) for line in answer.splitlines())
    return tuple(
        WantedDeb(one["url"], one["name"], int(one["size"]), one["sha256"])
        for one in found
        if one is not None and "@" not in one["url"]
    )
