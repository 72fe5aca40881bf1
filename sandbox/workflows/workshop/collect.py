"""Collect the work of all seats: one archive for each, a list, and checksums that prove them.

Each file appears whole or not at all, and running it again is right: where a seat does not answer
any more, the archive that is there already stays when it is newer than the last copy.
"""

import gzip
import os
import re
import shutil
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from sandbox.errors import BusyError, HostError, ProviderError, UsageError
from sandbox.events import Notice
from sandbox.files import fresh_file, sweep, whole_file, write_whole
from sandbox.saved import BrokenFileError, read_saved
from sandbox.workflows.workshop import homes
from sandbox.workflows.workshop.pace import at_once
from sandbox.workflows.workshop.running import RunningWorkshop
from sandbox.workflows.workshop.side_by_side import side_by_side
from sandbox.workshop.homes import CollectedHome, HomesManifest, differing, sha256_of
from sandbox.workshop.names import seat_word
from sandbox.workshop.seat_map import Seat
from sandbox.workshop.stillness import CLOSING_S

MANIFEST: Final = "manifest.json"
SUMS: Final = "SHA256SUMS"
_LEVEL: Final = 3
"""Of gzip: twice as fast as its usual one, and the files a little larger."""
_LARGEST_MB: Final = 20 * 1024
"""The most of one home: here the limit of the copies does not count."""
_MEGABYTE: Final = 1024 * 1024
_LONGEST_NAME: Final = 60


@dataclass(frozen=True)
class _Archive:
    """An archive of a home, and what it stands for."""

    file: Path
    at: datetime
    is_old: bool = False


def collect(ws: RunningWorkshop, folder: Path) -> HomesManifest:
    """Write one archive for each seat into a folder of the user's, a manifest and SHA256SUMS.

    Of a seat that does not answer, the last copy is taken, and the manifest says so. Seats of which
    there is none at all are in its `missing`.

    Raises:
        UsageError: the folder cannot be made or written, or has the archives of another workshop.
        HostError: an archive is not as it was written: the disk is full, or broken.
    """
    before = _begin(ws, folder)
    seats = [one for one in ws.map().seats if one.generation]
    # Compressing is the work of this host's processors
    outcomes = side_by_side(
        seats,
        partial(_collect_one, ws, folder, before),
        at_once=min(at_once(ws), 2 * (os.cpu_count() or 1)),
    )
    for one in outcomes:
        if one.error is not None:
            text = f"there is no archive of {seat_word(one.item.number)}: {one.error.message}"
            ws.listener(Notice(ws.name, text))
    manifest = HomesManifest(
        workshop=ws.name,
        homes=tuple(one.result for one in outcomes if one.result is not None),
        missing=tuple(seat_word(one.item.number) for one in outcomes if one.error is not None),
    )
    write_whole(folder / MANIFEST, manifest.model_dump_json(indent=1))
    write_whole(folder / SUMS, manifest.sums())
    if wrong := differing(folder, manifest):
        raise HostError(
            f"{len(wrong)} archives in {folder} are not as they were written",
            details="\n".join(wrong),
            hint=f"look at the disk, then: sandbox workshop collect {ws.name}",
        )
    return manifest


def archive_name(seat: Seat) -> str:
    """Name the archive of a seat, with its person's name in plain letters: safe for any name."""
    person = seat.holder.name if seat.holder is not None else ""
    ascii_only = unicodedata.normalize("NFKD", person).encode("ascii", "ignore").decode().lower()
    words = "-".join(re.findall("[a-z0-9]+", ascii_only))[:_LONGEST_NAME].strip("-")
    return f"{seat_word(seat.number)}{'-' if words else ''}{words}.tar.gz"


def _begin(ws: RunningWorkshop, folder: Path) -> Mapping[str, CollectedHome]:
    """Make the folder; return what an earlier call has put there, by seat."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        found = read_saved(folder / MANIFEST, HomesManifest)
    except BrokenFileError:
        # Of a disk that was full; all archives are written anew
        return {}
    except OSError as error:
        raise UsageError(f"nothing can be written to {folder}: {error.strerror}") from None
    if found is not None and found.workshop != ws.name:
        raise UsageError(
            f"{folder} has the archives of the workshop {found.workshop}",
            hint=f"sandbox workshop collect {ws.name} --into another-folder",
        )
    return {one.seat: one for one in found.homes} if found is not None else {}


def _collect_one(
    ws: RunningWorkshop, folder: Path, before: Mapping[str, CollectedHome], seat: Seat
) -> CollectedHome:
    word = seat_word(seat.number)
    target = folder / archive_name(seat)
    sweep(target)
    try:
        with fresh_file(target.with_suffix("")) as whole:
            source = _source(ws, seat, whole)
            earlier = before.get(word)
            if source.is_old and earlier is not None and _is_newer(folder, earlier, source):
                return earlier.model_copy(update={"is_old": True})
            with whole_file(target) as fresh:
                _compress(source.file, fresh)
    except OSError as error:
        raise HostError(f"{target} cannot be written: {error.strerror}") from error
    holder = seat.holder
    return CollectedHome(
        seat=word,
        name=holder.name if holder is not None else "",
        email=holder.email if holder is not None else "",
        file=target.name,
        size_bytes=target.stat().st_size,
        sha256=sha256_of(target),
        taken_at=source.at,
        is_old=source.is_old,
    )


def _source(ws: RunningWorkshop, seat: Seat, into: Path) -> _Archive:
    """A fresh copy of the home, else the last one. A large home is written to `into`."""
    # When it closes, the machine goes after this: nothing may be written that is in no archive
    still_s = CLOSING_S if ws.record.is_closing else 0
    try:
        saved = homes.save_in_turn(ws, seat.number, still_s=still_s)
        return _Archive(saved.file, saved.at)
    except homes.HomeTooLargeError:
        began = datetime.now(UTC)
        machine = ws.map().instance_of(seat)
        most_mb = _most_mb(into.parent, ws)
        homes.take_home(ws, machine, into, max_mb=most_mb, still_s=still_s)
        return _Archive(into, began)
    except (ProviderError, BusyError):
        last = homes.home_for(ws, seat)
        if last is None:
            raise
        return _Archive(last.file, last.at, is_old=True)


def _most_mb(folder: Path, ws: RunningWorkshop) -> int:
    """The most of one home that may come: others are written at the same time."""
    free_mb = shutil.disk_usage(folder).free // _MEGABYTE
    return max(ws.workshop.copies.max_mb, min(_LARGEST_MB, free_mb // (4 * (os.cpu_count() or 1))))


def _is_newer(folder: Path, earlier: CollectedHome, source: _Archive) -> bool:
    # Its name is from a file that anybody could have written
    file = folder / Path(earlier.file).name
    return earlier.taken_at >= source.at and file.is_file() and sha256_of(file) == earlier.sha256


def _compress(source: Path, into: Path) -> None:
    """Compress an archive; the same bytes give the same file."""
    descriptor = os.open(into, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with (
        source.open("rb") as file,
        os.fdopen(descriptor, "wb") as raw,
        gzip.GzipFile("", "wb", _LEVEL, raw, mtime=0) as packed,
    ):
        shutil.copyfileobj(file, packed, _MEGABYTE)
