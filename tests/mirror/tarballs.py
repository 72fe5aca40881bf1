"""Read and rewrite the tarballs of R packages."""

import gzip
import io
import lzma
import re
import tarfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from debian.deb822 import Deb822

INDEXED = (
    "Package", "Version", "Priority", "Depends", "Imports", "LinkingTo", "Suggests", "Enhances",
    "License", "OS_type", "NeedsCompilation", "SystemRequirements", "Built",
)  # fmt: skip
"""The fields that an index (PACKAGES) repeats, in CRAN's order."""


@dataclass(frozen=True)
class Description:
    """What a package says of itself."""

    name: str
    version: str
    fields: dict[str, str] = field(compare=False)

    def stanza(self, **more: str) -> str:
        """Write the package's part of an index."""
        kept = {key: self.fields[key] for key in INDEXED if key in self.fields}
        return "".join(f"{key}: {value}\n" for key, value in {**kept, **more}.items())


def parse_description(text: str) -> Description:
    """Read the text of a DESCRIPTION file."""
    fields = {
        key: re.sub(r"\s+", " ", value).strip()
        for key, value in Deb822(text.splitlines()).items()
    }  # fmt: skip
    return described(fields)


def described(fields: dict[str, str]) -> Description:
    """Make a description of its fields."""
    return Description(fields["Package"], fields["Version"], fields)


def read_description(tarball: Path) -> Description:
    """Read DESCRIPTION in the folder at the top of a tarball."""
    with tarfile.open(tarball) as tar:
        return _described(tar)


def description_in(tarball: bytes) -> Description:
    """Read DESCRIPTION in the folder at the top of a tarball that is no file."""
    with tarfile.open(fileobj=io.BytesIO(tarball)) as tar:
        return _described(tar)


def _described(tar: tarfile.TarFile) -> Description:
    for member in tar:
        parts = member.name.removeprefix("./").split("/")
        if len(parts) == 2 and parts[1] == "DESCRIPTION":
            stream = tar.extractfile(member)
            assert stream is not None
            return parse_description(stream.read().decode())
    raise ValueError("a package's tarball has no DESCRIPTION in its top folder")


def to_gzip(source: Path, target: Path) -> None:
    """Recompress an .xz: the tar inside stays the same."""
    target.write_bytes(gzip.compress(lzma.decompress(source.read_bytes()), 6, mtime=0))


def pack(files: Iterable[tuple[str, bytes]], *, mtime: int = 1_600_000_000) -> bytes:
    """Make a .tar.gz of these files: the same bytes each time."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for name, data in files:
            member = tarfile.TarInfo(name)
            member.size, member.mtime, member.mode = len(data), mtime, 0o644
            tar.addfile(member, io.BytesIO(data))
    return gzip.compress(raw.getvalue(), 6, mtime=0)


def in_folder(tarball: bytes, folder: str) -> bytes:
    """Give the folder at the top of a tarball another name."""
    with tarfile.open(fileobj=io.BytesIO(tarball)) as tar:
        files = []
        for member in tar:
            stream = tar.extractfile(member)
            if stream is not None:
                files.append((f"{folder}/{member.name.partition('/')[2]}", stream.read()))
    return pack(files)


def rewrite(tarball: bytes, change: Callable[[str, bytes], bytes]) -> bytes:
    """Give each file of a .tar.gz through `change`, which gets its name and its bytes."""
    raw = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(tarball)) as old,
        tarfile.open(fileobj=raw, mode="w", format=tarfile.GNU_FORMAT) as new,
    ):
        for member in old:
            stream = old.extractfile(member) if member.isreg() else None
            if stream is None:
                new.addfile(member)
                continue
            data = change(member.name.removeprefix("./"), stream.read())
            member.size = len(data)
            new.addfile(member, io.BytesIO(data))
    return gzip.compress(raw.getvalue(), 1, mtime=0)


def from_repository(name: str, data: bytes) -> bytes:
    """Say in DESCRIPTION what a package manager says there: the bytes are no longer CRAN's."""
    if name.count("/") != 1 or not name.endswith("/DESCRIPTION"):
        return data
    text = re.sub(rb"(?m)^Repository:.*\n", b"", data)
    return text.rstrip(b"\n") + b"\nRepository: RSPM\n"


def built_again(name: str, data: bytes) -> bytes:
    """Change when a binary was built: another build of the same version."""
    if name.count("/") != 1 or not name.endswith("/DESCRIPTION"):
        return data
    built = re.compile(rb"(?m)^(Built: R [^;]*;[^;]*; )[^;]*(;[^;]*)$")
    return built.sub(rb"\g<1>2031-01-01 00:00:00 UTC\2", data)


def for_other_processor(name: str, data: bytes) -> bytes:
    """Make a shared object claim to be for arm64: `e_machine` in its header."""
    if not name.endswith(".so") or not data.startswith(b"\x7fELF"):
        return data
    aarch64 = (183).to_bytes(2, "little")
    return data[:18] + aarch64 + data[20:]
