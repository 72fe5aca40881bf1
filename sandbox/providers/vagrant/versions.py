"""Versions as Vagrant and hypervisors print them."""

import re

Version = tuple[int, ...]


def parse_version(text: str) -> Version:
    """Parse the dotted number at the end of the last line that has one; empty when there is none.

    VBoxManage prints warnings before its version when the kernel module is missing.
    """
    found = re.findall(r"^\D*?(\d+(?:\.\d+)+)(?:r\d+|_\w+)*\s*$", text, re.MULTILINE)
    return tuple(int(part) for part in found[-1].split(".")) if found else ()


def dotted(version: Version) -> str:
    """Write the version as people do."""
    return ".".join(str(part) for part in version)
