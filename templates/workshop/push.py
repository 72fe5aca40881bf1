"""Runs in a seat, as the learner: lays files into the home, and never over the learner's own work.

push.py FOLDER < TAR

A file that the learner has changed stays; the new one is written next to it as NAME.new. What was
handed out is known by its checksum, which the home keeps. Prints JSON: `written`, `same`, and
`aside` (pairs: the file that stays, where the new one is).
"""

import hashlib
import io
import json
import os
import sys
import tarfile
from pathlib import Path, PurePosixPath
from typing import IO

KNOWN = Path(".local/state/sandbox/handed-out.json")
MOST_TRIES = 100


def main() -> None:
    """Lay the files of the archive on stdin into a folder of the home."""
    home = Path.home()
    os.chdir(home)
    known = read_known()
    told: dict[str, list] = {"written": [], "same": [], "aside": []}
    with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as archive:
        for member in archive:
            target = inside(PurePosixPath(sys.argv[1]), member.name)
            if member.isdir():
                Path(target).mkdir(parents=True, exist_ok=True)
            elif member.isfile():
                content = archive.extractfile(member) or io.BytesIO()
                lay(target, content, member.mode, known, told)
    write_whole(KNOWN, json.dumps(known, sort_keys=True).encode(), 0o600)
    sys.stdout.write(json.dumps(told))


def lay(target: str, content: IO[bytes], mode: int, known: dict, told: dict) -> None:
    """Write one file, or another one next to it when the learner has changed it."""
    data = content.read()
    sum_of_new = hashlib.sha256(data).hexdigest()
    present = sum_of(Path(target))
    if present == sum_of_new:
        told["same"].append(target)
    elif present is None or present == known.get(target):
        write_whole(Path(target), data, mode)
        told["written"].append(target)
    else:
        aside = free_name(target, sum_of_new)
        write_whole(Path(aside), data, mode)
        told["aside"].append([target, aside])
    known[target] = sum_of_new


def free_name(target: str, wanted: str) -> str:
    """Find a name next to the file that nobody uses, or that has this very content already."""
    for number in range(1, MOST_TRIES):
        name = f"{target}.new" if number == 1 else f"{target}.new{number}"
        if sum_of(Path(name)) in (None, wanted):
            return name
    raise SystemExit(f"there are {MOST_TRIES} versions of {target} already")


def sum_of(path: Path) -> "str | None":
    """Return the checksum of a file; None where nothing is, another word for what is no file."""
    if not path.is_symlink() and not path.exists():
        return None
    if not path.is_file():
        return "no file"
    return hashlib.sha256(path.read_bytes()).hexdigest()


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
    with Path(part).open("wb") as file:
        file.write(data)
    part.chmod(mode & 0o777)
    part.replace(path)


def read_known() -> dict:
    """Return the checksums of what was handed out; none where the file is damaged."""
    try:
        found = json.loads(KNOWN.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


if __name__ == "__main__":
    main()
