"""What a bundle says of itself: the manifest, its first member, and the trailer, its last one."""

import hashlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Annotated, Final, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from sandbox.spec.texts import Sha256, Text
from sandbox.spec.values import Model

MANIFEST_NAME: Final = "manifest.json"
TRAILER_NAME: Final = "trailer.json"
MAX_MANIFEST_BYTES: Final = 64 * 1024**2
MAX_TRAILER_BYTES: Final = 4096
MAX_BLOB_BYTES: Final = 64 * 1024**3
MAX_BLOBS: Final = 200_000

Role = Literal["base-image", "deb", "file", "box", "app", "lock", "playbooks"]

_Path = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f\\]+$", max_length=1000)]
_Name = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]+$", max_length=1000)]
_Provider = Annotated[str, StringConstraints(pattern=r"^[a-z]{1,20}$")]
_Key = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{12}$")]
_Size = Annotated[int, Field(ge=0, le=MAX_BLOB_BYTES)]


class Blob(Model):
    """A file of the bundle, once, whatever it is used for."""

    sha256: Sha256
    size_bytes: _Size
    role: Role
    name: _Name
    """What people know it by."""

    @property
    def member(self) -> str:
        """Its name in the tar file."""
        return f"blobs/sha256/{self.sha256}"


class TreeEntry(Model):
    """Something in the box's folder."""

    path: _Path


class TreeFile(TreeEntry):
    """A file of the box's folder."""

    sha256: Sha256
    is_program: bool = False


class TreeFolder(TreeEntry):
    """A folder of the box's folder."""


class TreeLink(TreeEntry):
    """A link in the box's folder, which leads to another place in it."""

    target: _Path


class Tree(Model):
    """The folder that the box may read, with the box, its apps and all else that it names."""

    box: _Path
    """The box file."""
    files: tuple[TreeFile, ...]
    folders: tuple[TreeFolder, ...] = ()
    links: tuple[TreeLink, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        entries: tuple[TreeEntry, ...] = (*self.files, *self.folders, *self.links)
        paths = [one.path for one in entries]
        if len(paths) != len(set(paths)):
            raise ValueError("a path of the box's folder is there twice")
        for path in paths:
            if not _is_inside(path):
                raise ValueError(f"{path!r} is no path inside of the box's folder")
        no_folders = {one.path for one in entries if not isinstance(one, TreeFolder)}
        for path in paths:
            if any(str(above) in no_folders for above in PurePosixPath(path).parents):
                raise ValueError(f"{path!r} lies in something that is no folder")
        for link in self.links:
            if not leads_inside(link.path, link.target):
                raise ValueError(f"the link {link.path!r} leads out of the box's folder")
        if self.box not in {one.path for one in self.files}:
            raise ValueError("the box itself is not there")
        return self


def _is_inside(path: str) -> bool:
    return all(part not in {"", ".", ".."} for part in path.split("/"))


def leads_inside(path: str, target: str) -> bool:
    """Tell whether a relative link at `path` stays below the top."""
    parts = target.rstrip("/").split("/")
    ups = 0
    while ups < len(parts) and parts[ups] == "..":
        ups += 1
    # After a step down, `..` could lead anywhere: that step may be a link, too
    down = all(part not in {"", ".."} for part in parts[ups:])
    return down and ups <= path.count("/")


class BundledBase(Model):
    """The base image, in the form in which its provider gave it."""

    provider: _Provider
    name: Text
    """`debian-12`."""
    identity: Sha256
    """Which build of it."""
    files: tuple[Sha256, ...] = Field(min_length=1, max_length=8)
    """In the order in which the provider wants them back."""

    @property
    def title(self) -> str:
        """Its name, and the beginning of its identity."""
        return f"{self.name} {self.identity[:12]}"


class Manifest(Model):
    """Everything about a bundle."""

    format: Literal[1] = 1
    sandbox: Text
    """The version that made it."""
    recipe: Sha256
    """Hash over the playbooks, the templates, and the code that uses them."""
    box_name: Text
    plan_key: _Key
    """The key of the plan that the box means."""
    architecture: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,20}$")]
    base: BundledBase
    tree: Tree
    blobs: Annotated[tuple[Blob, ...], Field(max_length=MAX_BLOBS)]

    @model_validator(mode="after")
    def _check(self) -> Self:
        sums = [one.sha256 for one in self.blobs]
        if sums != sorted(set(sums)):
            raise ValueError("the blobs are not sorted, or one is there twice")
        if lacking := set(self.used()) - set(sums):
            raise ValueError(f"{len(lacking)} files are named that the bundle does not have")
        return self

    def used(self) -> Iterator[str]:
        """Yield the checksums of the base image's files, and of the box's folder."""
        yield from self.base.files
        yield from (one.sha256 for one in self.tree.files)

    @property
    def size_bytes(self) -> int:
        """The size of all blobs."""
        return sum(one.size_bytes for one in self.blobs)

    def text(self) -> bytes:
        """Write it, the same for the same contents."""
        return self.model_dump_json(indent=1).encode() + b"\n"


class Trailer(Model):
    """The last member: only a bundle that came whole has it."""

    manifest: Sha256
    blobs: int
    size_bytes: int

    @classmethod
    def of(cls, manifest: Manifest, text: bytes) -> Self:
        """Make the trailer of a bundle; `text` is its manifest as it stands in the file."""
        return cls(
            manifest=hashlib.sha256(text).hexdigest(),
            blobs=len(manifest.blobs),
            size_bytes=manifest.size_bytes,
        )

    def text(self) -> bytes:
        """Write it."""
        return self.model_dump_json().encode() + b"\n"
