"""Package files for tests, made in memory: source, binary, and what should not be."""

import io
import struct
import tarfile
from collections.abc import Mapping

X86_64, AARCH64 = 62, 183


def tar(members: Mapping[str, bytes]) -> bytes:
    """A compressed tar file."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return raw.getvalue()


def description(name: str, version: str = "1.0", **fields: str) -> bytes:
    """The text of a DESCRIPTION."""
    lines = [f"Package: {name}", f"Version: {version}"]
    lines += [f"{key}: {value}" for key, value in fields.items()]
    return ("\n".join(lines) + "\n").encode()


def source(name: str, version: str = "1.0", **fields: str) -> bytes:
    """A source package."""
    return tar({f"{name}/DESCRIPTION": description(name, version, **fields), f"{name}/R/a.R": b""})


def elf(machine: int) -> bytes:
    """The beginning of a shared library for a machine."""
    return b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", 3, machine) + bytes(40)


def binary(
    name: str,
    version: str = "1.0",
    *,
    r: str = "4.2.3",
    library: bytes = b"",
    index: bool = True,
    **fields: str,
) -> bytes:
    """A package that R has installed once."""
    said = {**fields, "Built": f"R {r}; x86_64-pc-linux-gnu; 2024-06-13 10:00:00 UTC; unix"}
    members = {f"{name}/DESCRIPTION": description(name, version, **said)}
    if index:
        members[f"{name}/Meta/package.rds"] = b"x"
    if library:
        members[f"{name}/libs/{name}.so"] = library
    return tar(members)
