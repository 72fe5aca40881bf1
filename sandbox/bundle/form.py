"""The bytes of a bundle: an uncompressed tar file, of which nothing is left to chance.

`manifest.json`, then `blobs/sha256/SUM` in the manifest's order, then `trailer.json`, then the two
empty blocks that end a tar file, and nothing after them. Every header is the one that we write:
the reader compares it byte by byte with its own, so that no link, no owner, no other name and no
other size can be in it.
"""

import hashlib
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from pydantic import ValidationError

from sandbox.bundle.errors import BrokenBundleError
from sandbox.bundle.model import (
    MANIFEST_NAME,
    MAX_MANIFEST_BYTES,
    TRAILER_NAME,
    Blob,
    Manifest,
    Trailer,
)

BLOCK: Final = tarfile.BLOCKSIZE
BEGINNING: Final = MANIFEST_NAME.encode() + b"\0"
"""What every bundle begins with."""
_END: Final = b"\0" * (2 * BLOCK)
_CHUNK_BYTES: Final = 1024**2

Told = Callable[[int], object]
"""Hears how many bytes were read or written."""


class _BrokenError(Exception):
    """The stream is not what it should be; the message says what and where."""


class _LostError(_BrokenError):
    """From here on nobody knows where anything begins."""


def looks_like_bundle(start: bytes) -> bool:
    """Tell whether a file that begins so is meant as a bundle, whole or not."""
    return start.startswith(BEGINNING)


def header(name: str, size_bytes: int) -> bytes:
    """Return the tar header of a member; the same for everybody and at any time."""
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size_bytes, 0o644, 0
    return member.tobuf(tarfile.GNU_FORMAT)


def _padding(size_bytes: int) -> bytes:
    return b"\0" * (-size_bytes % BLOCK)


# Writing


def write_bundle(
    stream: BinaryIO,
    manifest: Manifest,
    content: Callable[[Blob], Iterator[bytes]],
    told: Told = lambda _: None,
) -> str:
    """Write a bundle, and return the checksum of its manifest.

    Args:
        stream: a new file.
        manifest: everything about it.
        content: gives the bytes of a blob.
        told: hears of progress.

    Raises:
        BrokenBundleError: a blob has other bytes than the manifest says.
    """
    text = manifest.text()
    _write_small(stream, MANIFEST_NAME, text)
    for blob in manifest.blobs:
        stream.write(header(blob.member, blob.size_bytes))
        digest, size = hashlib.sha256(), 0
        for chunk in content(blob):
            digest.update(chunk)
            size += len(chunk)
            stream.write(chunk)
            told(len(chunk))
        if size != blob.size_bytes or digest.hexdigest() != blob.sha256:
            raise BrokenBundleError(
                f"{blob.name} was changed while it was put into the bundle", hint="once more"
            )
        stream.write(_padding(size))
    _write_small(stream, TRAILER_NAME, Trailer.of(manifest, text).text())
    stream.write(_END)
    return hashlib.sha256(text).hexdigest()


def _write_small(stream: BinaryIO, name: str, text: bytes) -> None:
    stream.write(header(name, len(text)))
    stream.write(text)
    stream.write(_padding(len(text)))


# Reading


@dataclass(frozen=True)
class Examined:
    """A bundle that was read from its first to its last byte."""

    manifest: Manifest | None
    """None when not even that can be read."""
    manifest_sha256: str
    problems: tuple[str, ...]
    """What is broken; empty for a whole bundle."""


Take = Callable[[Blob, Iterator[bytes]], object]
"""Uses the bytes of a blob. The last step of the iterator fails when they are not the right ones,
so that whoever comes to its end has whole and right bytes."""


def read_bundle(
    stream: BinaryIO, take: Take = lambda *_: None, told: Told = lambda _: None
) -> Examined:
    """Read a whole bundle; all that is broken is in the answer.

    Args:
        stream: the file, at its beginning.
        take: is given each blob; what it does not read is read after it.
        told: hears of progress.
    """
    problems = list[str]()
    manifest, digest = None, ""
    source = _BundleSource(stream, told)
    try:
        text = _small(source, MANIFEST_NAME, "the manifest", MAX_MANIFEST_BYTES)
        digest = hashlib.sha256(text).hexdigest()
        manifest = _manifest(text)
        for blob in manifest.blobs:
            try:
                _blob(source, blob, take)
            except _LostError:
                raise
            except _BrokenError as error:
                problems.append(str(error))
        _end(source, Trailer.of(manifest, text).text())
    except _BrokenError as error:
        problems.append(str(error))
    return Examined(manifest, digest, tuple(problems))


class _BundleSource:
    def __init__(self, stream: BinaryIO, told: Told) -> None:
        self._stream, self._told = stream, told

    def exactly(self, size_bytes: int, what: str) -> bytes:
        data = self._stream.read(size_bytes)
        self._told(len(data))
        if len(data) != size_bytes:
            raise _LostError(f"the file ends in {what}: it was cut off")
        return data

    def is_at_end(self) -> bool:
        return not self._stream.read(1)


def _small(source: _BundleSource, name: str, what: str, max_bytes: int) -> bytes:
    """A member whose size only its header says."""
    block = source.exactly(BLOCK, what)
    try:
        size_bytes = tarfile.TarInfo.frombuf(block, "ascii", "strict").size
    except (tarfile.HeaderError, UnicodeDecodeError, ValueError):
        raise _LostError(f"where {what} should begin there is something else") from None
    if not 0 <= size_bytes <= max_bytes or block != header(name, size_bytes):
        raise _LostError(f"where {what} should begin there is something else")
    data = source.exactly(size_bytes, what)
    if source.exactly(len(_padding(size_bytes)), what).strip(b"\0"):
        raise _LostError(f"after {what} there is something that does not belong there")
    return data


def _manifest(text: bytes) -> Manifest:
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise _LostError(f"the manifest cannot be read: {place} {first['msg']}") from None
    except RecursionError:
        raise _LostError("the manifest cannot be read: it is nested too deeply") from None


def _blob(source: _BundleSource, blob: Blob, take: Take) -> None:
    what = f"{blob.name} ({blob.role})"
    if source.exactly(BLOCK, what) != header(blob.member, blob.size_bytes):
        raise _LostError(f"where {what} should begin there is something else")
    content = _content(source, blob, what)
    problem = None
    try:
        take(blob, content)
        # What nobody wanted
        for _ in content:
            pass
    except _LostError:
        raise
    except _BrokenError as error:
        problem = error
    if source.exactly(len(_padding(blob.size_bytes)), what).strip(b"\0"):
        raise _BrokenError(f"after {what} there is something that does not belong there")
    if problem is not None:
        raise problem


def _content(source: _BundleSource, blob: Blob, what: str) -> Iterator[bytes]:
    left, digest, chunk = blob.size_bytes, hashlib.sha256(), b""
    while left:
        if chunk:
            yield chunk
        chunk = source.exactly(min(left, _CHUNK_BYTES), what)
        digest.update(chunk)
        left -= len(chunk)
    # The last piece comes only with the right checksum
    if digest.hexdigest() != blob.sha256:
        raise _BrokenError(f"{what} has other bytes than its checksum says")
    yield chunk


def _end(source: _BundleSource, wanted: bytes) -> None:
    what = "the trailer"
    if source.exactly(BLOCK, what) != header(TRAILER_NAME, len(wanted)):
        raise _LostError(f"where {what} should begin there is something else")
    if source.exactly(len(wanted), what) != wanted:
        raise _BrokenError("the trailer is not that of this manifest: one of them was changed")
    if source.exactly(len(_padding(len(wanted))), what).strip(b"\0"):
        raise _BrokenError(f"after {what} there is something that does not belong there")
    if source.exactly(len(_END), "its last blocks") != _END or not source.is_at_end():
        raise _BrokenError("there is something after its end")
