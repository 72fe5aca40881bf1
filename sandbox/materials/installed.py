"""The fetched files that a machine has installed: its own list, kept by the role `materials`."""

import hashlib
import json
from collections.abc import Iterator
from typing import Final

from sandbox.obtained import Materials, Obtained

FOLDER: Final = "/var/lib/sandbox/materials"
"""The folder of fetched files on a machine; roles install from there."""

INSTALLED: Final = f"{FOLDER}/installed"
"""The marks of the files that were installed from there, one a line."""


def mark(one: Obtained) -> str:
    """Name a file and what is made of it: one package may be in the libraries of several Rs."""
    made = json.dumps([one.kind, one.name, one.r, one.remote])
    return f"{one.sha256} {hashlib.sha256(made.encode()).hexdigest()[:12]}"


def lacking(materials: Materials, installed: str) -> tuple[Obtained, ...]:
    """List the files that a machine needs; `installed` is the text of its list.

    A source package is compiled again when a package that it needs is another one now.
    """
    there = frozenset(installed.splitlines())
    again = set(_compiled_again(materials, there))
    return tuple(one for one in materials.files if mark(one) not in there or one in again)


def _compiled_again(materials: Materials, there: frozenset[str]) -> Iterator[Obtained]:
    packages = {(one.r, one.name): one for one in materials.files if one.kind == "r_package"}
    changed = {key for key, one in packages.items() if mark(one) not in there}
    # What was found may itself be needed by others: until there is nothing new
    while True:
        found = {
            (r, name)
            for (r, name), one in packages.items()
            if not one.is_binary and any((r, need) in changed for need in one.needs)
        } - changed
        if not found:
            return
        changed |= found
        yield from (packages[key] for key in found)
