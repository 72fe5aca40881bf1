"""Debian's control format, as R writes PACKAGES and DESCRIPTION.

A parser of our own: an index of CRAN has 20,000 records, which take python-debian seconds.
"""

import gzip
import zlib
from collections.abc import Iterator
from io import BytesIO

MAX_INDEX_BYTES = 200_000_000
"""No index is larger; a compressed one could grow without end."""


class BrokenRecordsError(Exception):
    """The file is not what its name says; the message says why."""


def records(text: str) -> Iterator[dict[str, str]]:
    """Yield each record; a value that goes on in further lines keeps them as one line."""
    record: dict[str, str] = {}
    key = ""
    for line in text.splitlines():
        if not line.strip():
            if record:
                yield record
            record, key = {}, ""
        elif line[0] in " \t":
            if key:
                record[key] = f"{record[key]} {line.strip()}".strip()
        else:
            name, colon, value = line.partition(":")
            # A line that is none of these belongs to no key
            key = name if colon and name and " " not in name else ""
            if key:
                record[key] = value.strip()
    if record:
        yield record


def first_record(data: bytes) -> dict[str, str]:
    """Read a DESCRIPTION, which has one record; latin1 where it is not UTF-8."""
    return next(records(as_text(data)), {})


def as_text(data: bytes) -> str:
    """Decode as UTF-8, or else as latin1: DESCRIPTION files are both."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def unpacked(data: bytes, *, max_bytes: int = MAX_INDEX_BYTES) -> bytes:
    """Return the bytes, without gzip's compression where they have it.

    Raises:
        BrokenRecordsError: the compressed data is damaged, or larger than `max_bytes`.
    """
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        with gzip.GzipFile(fileobj=BytesIO(data)) as stream:
            found = stream.read(max_bytes + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise BrokenRecordsError(f"its compressed data is damaged: {error}") from error
    if len(found) > max_bytes:
        raise BrokenRecordsError(f"it is larger than {max_bytes // 1_000_000} MB")
    return found
