"""What a server gives now in place of an R package that a lock names by its checksum."""

from io import BytesIO
from typing import Final

from sandbox.materials.packages.dcf import BrokenRecordsError
from sandbox.materials.packages.inspect import PackageFile, inspect_open
from sandbox.materials.packages.versions import Version
from sandbox.materials.packages.with_r import Architecture
from sandbox.obtained import Obtained
from sandbox.spec.problem import printable

MAX_BYTES: Final = 300_000_000
"""Larger than any package of CRAN; what is larger is not looked into."""


def describe_other_bytes(data: bytes, locked: Obtained, architecture: Architecture) -> str:
    """Say in words what the bytes are, and how they differ from the package that was locked."""
    try:
        found = inspect_open(BytesIO(data))
    except BrokenRecordsError as error:
        return f"what the server has there now is no package: {printable(str(error))}"
    if why := found.not_asked_for(locked.name, locked.version):
        return f"the server has another package there: {why}"
    if found.is_binary is not locked.is_binary:
        kinds = ("compiled", "source") if found.is_binary else ("source", "compiled")
        return f"the server has it as {kinds[0]} there, and it was locked {_AS[kinds[1]]}"
    if not found.is_binary:
        return "the server has other source of the same version there"
    return _other_binary(found, Version(locked.r).minor, architecture)


_AS: Final = {"compiled": "compiled", "source": "as source"}


def _other_binary(found: PackageFile, r_minor: str, architecture: Architecture) -> str:
    if why := found.unfit(r_minor, architecture):
        return f"the server has another build there: {why}"
    built = printable(found.fields.get("Built", ""))
    return f"the server has another build of the same version there (Built: {built})"
