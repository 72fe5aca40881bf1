"""Runs in a seat, as the learner: lays files into the home, and never over the learner's own work.

push.py FOLDER < TAR

A file that the learner has changed stays; the new one is written next to it as NAME.new. What was
handed out is known by its checksums, which the home keeps; each is noted before its file is
written, so that a run that is cut off leaves no file that looks like the learner's own. Prints
JSON: `written`, `same`, `aside` (pairs: the file that stays, where the new one is) and `failed`
(pairs: the file, why it could not be written).
"""

import hashlib
import io
import json
import os
import stat
import sys
import tarfile
from pathlib import Path, PurePosixPath
from typing import IO

KNOWN = Path(".local/state/sandbox/handed-out.jsonl")
MOST_TRIES = 100
MOST_BYTES = 1024**3
CHUNK_BYTES = 1024**2


def main() -> None:
    """Lay the files of the archive on stdin into a folder of the home."""
    home = Path.home()
    os.chdir(home)
    known = read_known()
    told: dict[str, list] = {"written": [], "same": [], "aside": [], "failed": []}
    with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as archive:
        for member in archive:
            target = inside(PurePosixPath(sys.argv[1]), member.name)
            try:
                if member.isdir():
                    Path(target).mkdir(parents=True, exist_ok=True)
                elif member.isfile():
                    content = archive.extractfile(member) or io.BytesIO()
                    lay(target, content, member.mode, known, told)
            except OSError as error:
                # Something of the learner's is in the way, or there is no room: the rest comes
                told["failed"].append([target, error.strerror or str(error)])
    sys.stdout.write(json.dumps(told))


def lay(target: str, content: IO[bytes], mode: int, known: dict, told: dict) -> None:
    """Write one file, or another one next to it when the learner has changed it."""
    data = content.read()
    sum_of_new = hashlib.sha256(data).hexdigest()
    present = sum_of(Path(target))
    ours = known.setdefault(target, set())
    is_ours = present in ours
    if sum_of_new not in ours:
        ours.add(sum_of_new)
        note_known(target, sum_of_new)
    if present == sum_of_new:
        told["same"].append(target)
    elif present is None or is_ours:
        write_whole(Path(target), data, mode)
        told["written"].append(target)
    else:
        aside = free_name(target, sum_of_new)
        write_whole(Path(aside), data, mode)
        told["aside"].append([target, aside])


def free_name(target: str, wanted: str) -> str:
    """Find a name next to the file that nobody uses, or that has this very content already."""
    for number in range(1, MOST_TRIES):
        name = f"{target}.new" if number == 1 else f"{target}.new{number}"
        if sum_of(Path(name)) in (None, wanted):
            return name
    raise OSError(f"there are {MOST_TRIES} versions of it already")


def sum_of(path: Path) -> "str | None":
    """Return the checksum of a file; None where nothing is, another word for what is no file."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        return "no file"
    if found.st_size > MOST_BYTES:
        return "larger than anything that is handed out"
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
    except PermissionError:
        return "not to be read"
    return digest.hexdigest()


def inside(folder: PurePosixPath, name: str) -> str:
    """Join the folder and the name of a file in the archive; both must stay below the home."""
    joined = folder / name
    if joined.is_absolute() or ".." in joined.parts:
        raise SystemExit(f"not below the home: {joined}")
    return str(joined)


def write_whole(path: Path, data: bytes, mode: int) -> None:
    """Write a file that is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.sandbox-part")
    # Of a run that was cut off; and a link there would lead elsewhere
    part.unlink(missing_ok=True)
    try:
        with part.open("xb") as file:
            file.write(data)
        part.chmod(mode & 0o777)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def note_known(target: str, checksum: str) -> None:
    """Add a line to what is known to be ours, before the file is there."""
    KNOWN.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with KNOWN.open("a", encoding="utf-8") as file:
        file.write(json.dumps([target, checksum]) + "\n")


def read_known() -> dict:
    """Return the checksums of all that was handed out, by file; lines that are damaged are none."""
    known: dict = {}
    try:
        lines = KNOWN.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return known
    for line in lines:
        try:
            target, checksum = json.loads(line)
            known.setdefault(str(target), set()).add(str(checksum))
        except (ValueError, TypeError):
            continue
    return known


if __name__ == "__main__":
    main()
