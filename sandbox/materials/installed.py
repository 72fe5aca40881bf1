"""The fetched files that a machine has installed: its own list, kept by the role `materials`."""

from typing import Final

from sandbox.obtained import Materials, Obtained

FOLDER: Final = "/var/lib/sandbox/materials"
"""The folder of fetched files on a machine; roles install from there."""

INSTALLED: Final = f"{FOLDER}/installed"
"""The checksums of the files that were installed from there, one a line."""


def lacking(materials: Materials, installed: str) -> tuple[Obtained, ...]:
    """List the files that a machine lacks; `installed` is the text of its list."""
    there = frozenset(installed.split())
    return tuple(one for one in materials.files if one.sha256 not in there)
