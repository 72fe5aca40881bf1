"""Decide which files of an app go into the machine: all but secrets and files nobody needs there.

The fingerprint of an app, its archive, and what `up` says about the app all use this list. Links
stay links and are never followed. These stay out, unless the box names them (`include:`): version
control, keys, credentials, R's own leftovers (`LEFT_OUT`), and what `.sandboxignore` lists.

The patterns, in `.sandboxignore` and in `include:`, follow .gitignore: one pattern a line; `#`
begins a comment; `*`, `?` and `[a-z]` match within a name; `**` matches any folders. A pattern with
a slash in it starts at the app's folder; any other matches a name at any depth. A slash at the end
means a folder. `!` takes back what an earlier line left out. The last matching line decides.
"""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import translate
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Final

from sandbox.plain_file import NotPlainError, not_a_file, read_plain

IGNORE_FILE: Final = ".sandboxignore"
MAX_MB: Final = 1024
"""How many MB an app may hold when its box does not say: it is copied, hashed and archived."""
MAX_FILES: Final = 50_000

LEFT_OUT: Final = (
    # Version control, with all that was ever committed, and the tokens in a remote's URL
    *(".git", ".svn", ".hg", ".bzr", ".git-credentials"),
    # Keys and credentials
    *(".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker", ".secrets", ".httr-oauth"),
    *(".env", ".env.*", ".netrc", "_netrc", ".pgpass", ".my.cnf", ".odbc.ini", ".npmrc", ".pypirc"),
    *("*.pem", "*.key", "*.ppk", "*.p12", "*.pfx", "*.jks", "*.kdbx"),
    *("id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*"),
    # R's and RStudio's: tokens, what was typed, what was in memory, where it was published
    *(".renviron*", ".rhistory", ".rdata", ".rdatatmp", ".rproj.user", "rsconnect/"),
    # What `sandbox capture` wrote about a server
    "*.facts.json",
    IGNORE_FILE,
)
"""Names in lower case: a file system may not tell `.Renviron` from `.renviron`."""

_MAX_IGNORE_BYTES = 64 * 1024
_MAX_IGNORE_LINES = 1000
_MAX_DEPTH = 100


class TooMuchError(Exception):
    """The app is larger than the limit; the message says which limit."""


class UnreadableError(Exception):
    """A file or folder of the app cannot be read."""


@dataclass(frozen=True)
class AppFiles:
    """The files of an app's folder that go to the machine, sorted by name, and those that stay."""

    taken: tuple[Path, ...]
    """The files, folders and links that go."""
    left_out: tuple[str, ...]
    """The paths that stay, relative to the folder; a slash at the end means a whole folder."""


def app_files(folder: Path, *, include: Sequence[str] = (), max_mb: int = MAX_MB) -> AppFiles:
    """List the files of an app's folder. Only `.sandboxignore` is opened.

    Args:
        folder: the app's folder, links resolved.
        include: names or patterns of files that go although they would be left out.
        max_mb: the most it may hold; a sparse file counts with its stated size.

    Raises:
        TooMuchError: it holds more than `max_mb`, or more than `MAX_FILES` files.
        UnreadableError: a part of it cannot be read.
    """
    rules = _Rules(
        tuple(_Pattern.of(word) for word in LEFT_OUT),
        _ignored(folder),
        tuple(_Pattern.of(word) for word in include),
    )
    walk = _Walk(folder, rules, max_mb)
    walk.look(folder, (), asked=False)
    taken = sorted(walk.taken, key=lambda path: path.relative_to(folder).parts)
    return AppFiles(tuple(taken), tuple(sorted(walk.left_out)))


@dataclass(frozen=True)
class _Pattern:
    """One line of an ignore file: a name at any depth, or a path from the app's folder."""

    steps: tuple[str, ...]
    only_folders: bool = False

    @classmethod
    def of(cls, line: str) -> "_Pattern":
        steps = tuple(step for step in line.removesuffix("/").split("/") if step not in {"", "."})
        if "/" not in line.removesuffix("/"):
            steps = ("**", *steps)
        return cls(steps, only_folders=line.endswith("/"))

    def fits(self, parts: tuple[str, ...], *, is_folder: bool, any_case: bool = False) -> bool:
        if self.only_folders and not is_folder:
            return False
        return _fit(self.steps, tuple(map(str.lower, parts)) if any_case else parts)


def _fit(steps: tuple[str, ...], parts: tuple[str, ...]) -> bool:
    """Match step by step, trying every possible end at once: no pattern can make this take long."""
    ends = {0}
    for step in steps:
        if step == "**":
            ends = set(range(min(ends, default=len(parts) + 1), len(parts) + 1))
        else:
            name = _name(step)
            ends = {end + 1 for end in ends if end < len(parts) and name.match(parts[end])}
    return len(parts) in ends


@cache
def _name(step: str) -> re.Pattern[str]:
    # Python's own translation does not backtrack: a hostile pattern cannot hang it
    return re.compile(translate(step))


@dataclass(frozen=True)
class _Rules:
    ours: tuple[_Pattern, ...]
    theirs: tuple[tuple[_Pattern, bool], ...]
    """The patterns of `.sandboxignore`, each with whether it leaves a file out or takes it back."""
    include: tuple[_Pattern, ...]

    def leaves_out(self, parts: tuple[str, ...], *, is_folder: bool) -> bool:
        if any(one.fits(parts, is_folder=is_folder, any_case=True) for one in self.ours):
            return True
        fitting = [out for one, out in self.theirs if one.fits(parts, is_folder=is_folder)]
        return bool(fitting and fitting[-1])

    def asks_for(self, parts: tuple[str, ...], *, is_folder: bool) -> bool:
        return any(one.fits(parts, is_folder=is_folder) for one in self.include)

    def may_ask_below(self, parts: tuple[str, ...]) -> bool:
        """Tell whether the box asks, by path, for something in a folder that is left out."""
        return any(
            len(one.steps) > len(parts) and _fit(one.steps[: len(parts)], parts)
            for one in self.include
            if one.steps[:1] != ("**",)
        )


def _ignored(folder: Path) -> tuple[tuple[_Pattern, bool], ...]:
    """The lines of `.sandboxignore`; empty when there is no such file."""
    path = folder / IGNORE_FILE
    # A link could lead to a file of another person
    if path.is_symlink() or not_a_file(path) is not None:
        return ()
    try:
        text = read_plain(path, max_bytes=_MAX_IGNORE_BYTES).decode("utf-8", "replace")
    except NotPlainError as error:
        raise UnreadableError(f"{IGNORE_FILE}: {error}") from error
    lines = [line.rstrip() for line in text.splitlines()]
    lines = [line for line in lines if line.strip("/!") and not line.startswith("#")]
    if len(lines) > _MAX_IGNORE_LINES:
        raise TooMuchError(f"{IGNORE_FILE} has {len(lines)} lines; {_MAX_IGNORE_LINES} at most")
    return tuple((_Pattern.of(line.removeprefix("!")), not line.startswith("!")) for line in lines)


@dataclass
class _Walk:
    folder: Path
    rules: _Rules
    max_mb: int
    taken: list[Path] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    size_bytes: int = 0
    seen: int = 0

    def look(self, folder: Path, above: tuple[str, ...], *, asked: bool) -> None:
        for entry in _entries(folder):
            self._count()
            parts = (*above, entry.name)
            is_folder = entry.is_dir(follow_symlinks=False)
            is_out = not asked and self.rules.leaves_out(parts, is_folder=is_folder)
            is_wanted = self.rules.asks_for(parts, is_folder=is_folder)
            if is_out and not is_wanted:
                if is_folder and self.rules.may_ask_below(parts):
                    self._search(Path(entry.path), parts)
                elif entry.name != IGNORE_FILE:
                    self.left_out.append("/".join(parts) + ("/" if is_folder else ""))
                continue
            # A folder that would stay out, but is asked for by name, goes whole
            self._take(entry, parts, asked=asked or is_out)

    def _take(self, entry: os.DirEntry[str], parts: tuple[str, ...], *, asked: bool) -> None:
        path = Path(entry.path)
        if entry.is_symlink():
            self.taken.append(path)
        elif entry.is_dir(follow_symlinks=False):
            self.taken.append(path)
            if len(parts) > _MAX_DEPTH:
                raise TooMuchError(f"its folders are nested deeper than {_MAX_DEPTH}")
            self.look(path, parts, asked=asked)
        elif entry.is_file(follow_symlinks=False):
            self._add_size(entry, parts)
            self.taken.append(path)
        else:  # a socket, a fifo, a device
            self.left_out.append("/".join(parts))

    def _search(self, folder: Path, above: tuple[str, ...]) -> None:
        """A folder that stays out, but holds something that the box asks for by its path."""
        before = len(self.taken)
        for entry in _entries(folder):
            self._count()
            parts = (*above, entry.name)
            is_folder = entry.is_dir(follow_symlinks=False)
            if self.rules.asks_for(parts, is_folder=is_folder):
                self._take(entry, parts, asked=True)
            elif is_folder and self.rules.may_ask_below(parts):
                self._search(Path(entry.path), parts)
            else:
                self.left_out.append("/".join(parts) + ("/" if is_folder else ""))
        if len(self.taken) > before:
            self.taken.append(folder)

    def _count(self) -> None:
        self.seen += 1
        if self.seen > MAX_FILES:
            raise TooMuchError(f"it has more than {MAX_FILES} files")

    def _add_size(self, entry: os.DirEntry[str], parts: tuple[str, ...]) -> None:
        try:
            self.size_bytes += entry.stat(follow_symlinks=False).st_size
        except OSError as error:
            raise UnreadableError(f"{'/'.join(parts)}: {error.strerror}") from error
        if self.size_bytes > self.max_mb * 1_000_000:
            raise TooMuchError(
                f"it holds more than {self.max_mb} MB; with {'/'.join(parts)} it is "
                f"{self.size_bytes / 1e6:.0f} MB"
            )


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            # Of an endless folder, list only as much as shows that it is too large
            some = islice(entries, MAX_FILES + 1)
            yield from sorted(some, key=lambda entry: entry.name)
    except OSError as error:
        raise UnreadableError(f"{folder.name}: {error.strerror}") from error
