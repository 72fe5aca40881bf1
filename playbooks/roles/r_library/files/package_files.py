"""Files of packages: unpacked with care, linked from a library of before, read and compared.

Runs on the machine with its own Python (3.9 and later), without any other module.
"""

import hashlib
import os
import shutil
import stat
import tarfile
from pathlib import Path

MAX_BYTES = 20_000_000_000
MAX_FILES = 500_000


class UnsafeError(Exception):
    """The archive holds something that no package has; the message says what."""


def sha256_of(path):
    """Compute the checksum of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(1 << 20), b""):
            digest.update(chunk)
    return digest.hexdigest()


def unpack(archive_path, folder):
    """Unpack a package into a new folder, and return its top folder.

    Nothing leaves the folder: no absolute name, no `..`, no link to outside, no device.
    """
    folder = Path(folder)
    folder.mkdir(parents=True)
    tops, total, made = set(), 0, set()
    with tarfile.open(archive_path) as archive:
        for number, member in enumerate(archive):
            parts = _parts(member.name)
            if not parts:
                continue
            total += max(0, member.size)
            if number > MAX_FILES or total > MAX_BYTES:
                raise UnsafeError("it is too large for a package")
            tops.add(parts[0])
            _write(archive, member, folder, parts, made)
    if len(tops) != 1:
        raise UnsafeError("it has %d top folders, and a package has one" % len(tops))
    return folder / tops.pop()


def _parts(name):
    if name.startswith("/") or "\0" in name:
        raise UnsafeError("it has an absolute name in it: %r" % name)
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise UnsafeError("a name in it leads out of it: %r" % name)
    return parts


def _write(archive, member, folder, parts, made):
    target = os.path.join(folder, *parts)
    _make_folders(folder, parts[:-1], made)
    if member.isdir():
        _make_folders(folder, parts, made)
    elif member.issym():
        _check_link(parts, member)
        _remove_file(target)
        os.symlink(member.linkname, target)
    elif member.islnk():
        source = folder.joinpath(*_parts(member.linkname))
        if not stat.S_ISREG(os.lstat(source).st_mode) or _is_outside(source.parent, folder):
            raise UnsafeError("it has a link to what is no file of it: %r" % member.name)
        _remove_file(target)
        shutil.copy2(source, target)
    elif member.isreg():
        _remove_file(target)
        mode = 0o755 if member.mode & 0o111 else 0o644
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with os.fdopen(os.open(target, flags, mode), "wb") as file:
            shutil.copyfileobj(archive.extractfile(member), file, 1 << 20)
        # make compares these times
        os.utime(target, (member.mtime, member.mtime))
    else:
        raise UnsafeError("it has a device or a pipe in it: %r" % member.name)


def _make_folders(folder, parts, made):
    """Make folders one by one, so that none is a link.

    What is in `made` stays a folder: no file or link of the archive takes a folder's place.
    """
    if tuple(parts) in made:
        return
    made.add(tuple(parts))
    for part in parts:
        folder = folder / part
        try:
            os.mkdir(folder, 0o755)
        except FileExistsError:
            if not stat.S_ISDIR(os.lstat(folder).st_mode):
                raise UnsafeError("a file or link of it is in a folder's place: %s" % part)


def _check_link(parts, member):
    """Refuse a link that leads out of the package's own folder."""
    if member.linkname.startswith("/"):
        raise UnsafeError("it has a link to outside in it: %r" % member.name)
    depth = len(parts) - 1
    for part in member.linkname.split("/"):
        depth += -1 if part == ".." else 0 if part in ("", ".") else 1
        if depth < 1:
            raise UnsafeError("it has a link to outside in it: %r" % member.name)


def _is_outside(path, folder):
    real = os.path.realpath(path)
    return os.path.commonpath([real, os.path.realpath(folder)]) != os.path.realpath(folder)


def _remove_file(path):
    try:
        if stat.S_ISDIR(os.lstat(path).st_mode):
            raise UnsafeError("a file of it is in a folder's place: %s" % os.path.basename(path))
        os.unlink(path)
    except FileNotFoundError:
        pass


def description(package):
    """Read Package, Version and Built of an installed package; empty when it is none."""
    found = {}
    try:
        text = (Path(package) / "DESCRIPTION").read_bytes().decode("utf-8", "replace")
    except (FileNotFoundError, NotADirectoryError):
        return found
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if colon and name in ("Package", "Version", "Built"):
            found[name] = value.strip()
    return found


def add_fields(package, fields):
    """Add fields to a DESCRIPTION that does not have them, such as RemoteSha."""
    path = Path(package) / "DESCRIPTION"
    data = path.read_bytes().rstrip(b"\n") + b"\n"
    there = {line.partition(b":")[0] for line in data.splitlines()}
    lines = [
        "%s: %s\n" % (name, " ".join(value.split()))
        for name, value in fields
        if name.encode() not in there
    ]
    path.write_bytes(data + "".join(lines).encode())


def link_tree(source, target):
    """Copy a package by links to the same files: both libraries have them, and neither changes them."""
    try:
        shutil.copytree(source, target, symlinks=True, copy_function=os.link)
    except (OSError, shutil.Error):
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target, symlinks=True)


def installed(library):
    """List the packages of a library: name to version."""
    found = {}
    for entry in os.scandir(library):
        said = description(entry.path)
        if said.get("Package"):
            found[entry.name] = said.get("Version", "")
    return found
